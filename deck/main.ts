import type { Command } from "commander";
import type { CliIo } from "../protocol/ports.ts";
export function addDeckCommands(_program: Command, _io: CliIo): void {}
