/**
 * The files of docs/deploy: units, images and manifests start programs that exist with options that they have,
 * end them in order, and probe them by commands that work.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import * as yaml from "yaml";
import { RELEASE } from "../../protocol/release.ts";
import { casparian, PROJECT } from "./casparian.ts";

const DEPLOY = join(PROJECT, "docs", "deploy");
/** What a worker does after its jobs have ended: the last receipts, and children that are slow to die. */
const FAREWELL_S = 10;

const read = (path: string) => Deno.readTextFileSync(join(DEPLOY, path));
const filesIn = (folder: string) =>
  [...Deno.readDirSync(join(DEPLOY, folder))].map(({ name }) => join(folder, name)).toSorted();
const units = filesIn("systemd");
const manifests = filesIn("kubernetes");

/** A command line of casparian's that a file holds: what follows the program's own name. */
type Line = readonly string[];

// deno-lint-ignore no-explicit-any
type Json = any;

const documents: Json[] = manifests.flatMap((path) =>
  yaml.parseAllDocuments(read(path), { merge: true }).map((document) => {
    assert.deepEqual(document.errors, [], path);
    return document.toJS();
  })
);

function containers(): { kind: string; spec: Json; container: Json }[] {
  return documents.filter(({ kind }) => kind === "StatefulSet" || kind === "Deployment")
    .map(({ kind, spec: { template: { spec } } }) => {
      assert.equal(spec.containers.length, 1);
      return { kind, spec, container: spec.containers[0] };
    });
}

const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"] as const;

function unitLine(unit: string): Line {
  const words = /^ExecStart=\S+\/casparian (.*)$/m.exec(read(unit))![1]!.split(" ");
  const example = /^# \w+_OPTIONS="(.*)"$/m.exec(read(unit))![1]!.split(" ");
  return [...words.filter((word) => !word.startsWith("$")), ...example];
}

function imageLines(): Line[] {
  const lists = read("Containerfile").matchAll(/^(?:ENTRYPOINT|HEALTHCHECK CMD) (\[.*\])$/gm);
  return Array.from(
    lists,
    ([, list]) => JSON.parse(list!).filter((word: string) => word !== "tini"),
  )
    .map((words: string[]) => words.slice(words.indexOf("casparian") + 1));
}

function manifestLines(): Line[] {
  return containers().flatMap(({ container }) => [
    [container.name, ...container.args],
    ...PROBES.map((probe) => container[probe].exec.command.slice(1)),
  ]);
}

Deno.test("every command line names a command, and options that it has", async () => {
  const lines = [...units.map(unitLine), ...imageLines(), ...manifestLines()];
  assert.ok(lines.length >= 15, `${lines.length} lines`);
  const helps = new Map<string, string>();
  for (const [command = "", ...words] of lines) {
    const help = helps.get(command) ?? (await casparian(PROJECT, command, "--help")).stdout;
    helps.set(command, help);
    for (const word of words.filter((word) => word.startsWith("--"))) {
      assert.match(help, new RegExp(`^ +${word} `, "m"), `casparian ${command} ${word}`);
    }
  }
});

Deno.test("whoever stops a worker gives its jobs the time that it promises them, and some more", () => {
  const drainS = (line: Line) => Number(line[line.indexOf("--drain-timeout") + 1]);
  const unit = "systemd/casparian-worker.service";
  const stopS = Number(/^TimeoutStopSec=(\d+)$/m.exec(read(unit))![1]);
  assert.ok(stopS >= drainS(unitLine(unit)) + FAREWELL_S);
  const { spec, container } = containers().find(({ container }) => container.name === "worker")!;
  assert.ok(spec.terminationGracePeriodSeconds >= drainS(container.args) + FAREWELL_S);
});

Deno.test("a stop reaches the worker alone, not the plugins whose jobs are to end", () => {
  for (const unit of units) assert.match(read(unit), /^KillMode=mixed$/m, unit);
  const entries = imageLines().filter(([command]) => command !== "health");
  assert.equal(entries.length, 3);
});

Deno.test("every program is probed: is it up, does it live, can it take work", () => {
  for (const { kind, container } of containers()) {
    for (const probe of PROBES) {
      const { exec: { command }, timeoutSeconds } = container[probe];
      assert.deepEqual(command.slice(0, 3), ["casparian", "health", container.name], kind);
      assert.equal(command.includes("--ready"), probe === "readinessProbe");
      assert.ok(timeoutSeconds >= 5);
    }
    const state = container.livenessProbe.exec.command.at(-1);
    assert.ok(read("Containerfile").includes(`"${container.name}", "--state", "${state}"`));
  }
});

Deno.test("pods have no rights that they do not need, and reach each other", () => {
  for (const { spec, container } of containers()) {
    assert.equal(spec.securityContext.runAsNonRoot, true);
    assert.equal(container.securityContext.allowPrivilegeEscalation, false);
    assert.deepEqual(container.securityContext.capabilities.drop, ["ALL"]);
    assert.equal(container.securityContext.readOnlyRootFilesystem, true);
    const claimed = spec.volumes.flatMap((volume: Json) =>
      volume.persistentVolumeClaim?.claimName ?? []
    );
    const known = documents.filter(({ kind }) => kind === "PersistentVolumeClaim");
    for (const name of claimed) {
      assert.ok(known.some(({ metadata }) => metadata.name === name), name);
    }
  }
  const [service] = documents.filter(({ kind }) => kind === "Service");
  const worker = containers().find(({ container }) => container.name === "worker")!;
  const { port } = service.spec.ports[0];
  assert.ok(worker.container.args.includes(`tcp://${service.metadata.name}:${port}`));
  const listed = documents.find(({ kind }) => kind === "Kustomization").resources;
  const all = manifests.map((path) => path.split("/")[1]);
  assert.deepEqual([...listed, "kustomization.yaml"].toSorted(), all);
});

Deno.test("images are those of this release, and come from no registry that is named here", () => {
  const images = containers().map(({ container }) => container.image);
  assert.deepEqual(images, [`casparian-sentinel:${RELEASE}`, `casparian-worker:${RELEASE}`]);
  const file = read("Containerfile");
  assert.match(
    file,
    new RegExp(`^ARG BUNDLE=casparian-${RELEASE.replaceAll(".", "\\.")}-linux-x64$`, "m"),
  );
  for (const [, base] of file.matchAll(/^ARG \w+_BASE=(.*)$/gm)) assert.doesNotMatch(base!, /\//);
});

const verifies = await new Deno.Command("systemd-analyze", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: `systemd takes the units as they are${
    verifies ? "" : " (skipped: there is no systemd-analyze)"
  }`,
  ignore: !verifies,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const unit of units) {
        const path = join(folder, unit.split("/")[1]!);
        await Deno.writeTextFile(
          path,
          read(unit).replaceAll("/opt/casparian/casparian", "/bin/sh"),
        );
        const { code, stderr } = await new Deno.Command("systemd-analyze", {
          args: ["verify", "--man=no", path],
        }).output();
        assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""], unit);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
