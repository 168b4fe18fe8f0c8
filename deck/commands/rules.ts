import type { Command } from "commander";
import type { ControlClient } from "../../protocol/control.ts";
import { CliError } from "../../protocol/exit_codes.ts";
import type { CliIo } from "../../protocol/ports.ts";
import type { Rule } from "../../protocol/records.ts";
import {
  addCommand,
  type ClientOptions,
  print,
  rowId,
  tableLines,
  wholeNumber,
  withClientOptions,
  withSentinel,
} from "./client.ts";

interface RuleOptions extends ClientOptions {
  readonly pattern?: string;
  readonly tag?: string;
  readonly plugin?: string;
  readonly priority?: number;
  readonly description?: string;
  readonly enable?: boolean;
  readonly disable?: boolean;
}

const priority = wholeNumber(-1000, 1000);

export function addRules(program: Command, io: CliIo): void {
  const rules = addCommand(program, "rules", [
    "rules",
    `rules add "in/**/*.csv" sales --plugin sales_csv`,
    "rules set 3 --disable",
    "rules rm 3",
  ]);
  withClientOptions(rules.command("list", { isDefault: true }))
    .description("List the rules")
    .action((options: ClientOptions) =>
      withSentinel(io, options, (client) => listRules(client, io, options))
    );
  addRuleAdd(rules, io);
  addRuleSet(rules, io);
  withClientOptions(rules.command("rm"))
    .description("Remove a rule")
    .argument("<id>", "the rule's number", rowId)
    .action((id: number, options: ClientOptions) =>
      withSentinel(io, options, async (client) => {
        await client.call("rules.delete", { rule_id: id });
        await listRules(client, io, options);
      })
    );
}

function addRuleAdd(rules: Command, io: CliIo): void {
  withClientOptions(rules.command("add"))
    .description("Tag the files that match a glob, for the plugins that take the tag")
    .argument("<pattern>", "a glob, seen from the source root")
    .argument("<tag>")
    .option("--plugin <name>", "subscribe this plugin to the tag")
    .option("--priority <number>", "higher runs first", priority, 0)
    .option("--description <text>", "what it is for", "")
    .action((pattern: string, tag: string, options: RuleOptions) =>
      withSentinel(io, options, async (client) => {
        const { plugin, description = "" } = options;
        await client.call("rules.create", {
          pattern,
          tag,
          description,
          priority: options.priority ?? 0,
          ...plugin === undefined ? {} : { plugin },
        });
        await listRules(client, io, options);
      })
    );
}

function addRuleSet(rules: Command, io: CliIo): void {
  withClientOptions(rules.command("set"))
    .description("Change a rule")
    .argument("<id>", "the rule's number", rowId)
    .option("--pattern <glob>", "which files")
    .option("--tag <tag>", "the tag they get")
    .option("--priority <number>", "higher runs first", priority)
    .option("--description <text>", "what it is for")
    .option("--enable", "let it count")
    .option("--disable", "keep it, but let it not count")
    .action((id: number, options: RuleOptions) =>
      withSentinel(io, options, async (client) => {
        const rule = (await client.call("rules.list", {})).rules.find((each) => each.id === id);
        if (!rule) throw new CliError(`Cannot change rule ${id} as there is none: casparian rules`);
        await client.call("rules.update", changed(rule, options));
        await listRules(client, io, options);
      })
    );
}

function changed(rule: Rule, options: RuleOptions): Rule {
  const { pattern, tag, priority, description } = options;
  return {
    id: rule.id,
    pattern: pattern ?? rule.pattern,
    tag: tag ?? rule.tag,
    priority: priority ?? rule.priority,
    description: description ?? rule.description,
    enabled: options.disable ? false : options.enable ?? rule.enabled,
  };
}

async function listRules(client: ControlClient, io: CliIo, options: ClientOptions): Promise<void> {
  const list = await client.call("rules.list", {});
  print(io, options, list, () => {
    if (list.rules.length === 0) return ["no rules; each plugin's own pattern is one by itself"];
    const rows = list.rules.map((rule) => [
      `${rule.id}`,
      rule.enabled ? "on" : "off",
      `${rule.priority}`,
      rule.tag,
      rule.pattern,
      rule.description,
    ]);
    return tableLines(io, [">RULE", "STATE", ">PRIORITY", "TAG", "PATTERN", ""], rows);
  });
}
