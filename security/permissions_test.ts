import assert from "node:assert/strict";
import denoJson from "../deno.json" with { type: "json" };
import { bridgeSocket, permissionFlags, type Place, rootDirectory } from "./permissions.ts";
import { compiledFlags } from "./launch.ts";
import { readProgramOptions } from "./program_options.ts";

const place: Place = {
  project: "/opt/casparian",
  cwd: "/home/me",
  deno: "/usr/bin/deno",
  addons: ["/opt/casparian/node_modules/addon.node"],
  runDir: "/home/me/.casparian/run/1",
  to: "/home/me/.local/bin",
  storedRoots: ["/mnt/stored"],
};

const flag = (flags: string[], name: string) =>
  flags.find((each) => each === `--allow-${name}` || each.startsWith(`--allow-${name}=`))
    ?.split("=")[1]?.split(",");

Deno.test("a sentinel may read its roots, write its state, and start nothing", () => {
  const args = ["--root", "in=data", "--root=/mnt/share", "--database", "sqlite://db.sqlite3"];
  const flags = permissionFlags("sentinel", args, place);
  const database = ["", "-wal", "-shm", "-journal"].map((end) => `/home/me/db.sqlite3${end}`);
  const state = "/home/me/.casparian";
  assert.deepEqual(flag(flags, "read"), [
    "/opt/casparian",
    state,
    ...database,
    "/home/me/data",
    "/mnt/share",
    "/mnt/stored",
  ]);
  assert.deepEqual(flag(flags, "write"), [state, ...database]);
  assert.deepEqual(flag(flags, "ffi"), place.addons);
  assert.equal(flag(flags, "run"), undefined);
  assert.equal(flag(flags, "net"), undefined);
  // The type of a root's file system: on a share neither events nor clocks can be relied on.
  assert.deepEqual(flag(flags, "sys"), ["statfs"]);
});

Deno.test("a worker may start its launcher only, and listens on its own sockets only", () => {
  const flags = permissionFlags(
    "worker",
    ["--state", "/s", "--output=/o", "--map", "lake=/l"],
    place,
  );
  assert.deepEqual(flag(flags, "run"), ["/opt/casparian/worker/launch.sh"]);
  assert.deepEqual(flag(flags, "write"), ["/s", "/o", "/l", place.runDir]);
  assert.ok(flag(flags, "net")?.every((scope) => scope.startsWith(`unix:${place.runDir}/`)));
  assert.ok(flag(flags, "net")?.includes(`unix:${bridgeSocket(`${place.runDir}/t63`)}`));
});

Deno.test("a sentinel may make the socket it is to listen on", () => {
  const args = ["--listen", "ipc:///tmp/own/control.sock"];
  assert.equal(flag(permissionFlags("sentinel", args, place), "write")?.at(-1), "/tmp/own");
});

Deno.test("no program may do everything, or ask for more while it runs", () => {
  const programs = ["start", "sentinel", "worker", "run", "doctor", "install", "bundle", "compile"];
  for (const program of programs as "start"[]) {
    const flags = permissionFlags(program, [], place);
    assert.ok(flags.includes("--no-prompt"), program);
    for (const name of ["write", "env"]) assert.ok(flag(flags, name)?.[0], `${program} ${name}`);
    const open = flags.filter((each) => !each.includes("=") && each.startsWith("--allow-"));
    const readsAll = ["worker", "run", "doctor"].includes(program);
    assert.deepEqual(open, readsAll ? ["--allow-read"] : []);
  }
});

Deno.test("what makes a bundle writes where it is told, and may run no more than a worker", () => {
  const flags = permissionFlags("bundle", ["--to", "out"], { ...place, to: "/opt/casparian/dist" });
  assert.deepEqual(flag(flags, "write"), ["/home/me/out"]);
  assert.deepEqual(flag(flags, "run"), ["/opt/casparian/worker/launch.sh"]);
  const dist = permissionFlags("compile", [], { ...place, to: "/opt/casparian/dist" });
  assert.deepEqual(flag(dist, "write"), ["/opt/casparian/dist"]);
  assert.deepEqual(flag(dist, "run"), ["/usr/bin/deno"]);
});

// Goal: its permissions are fixed before anybody knows where it will lie, but not more loosely than that.
Deno.test("a compiled worker writes to the folders that it was made for, and anywhere only if to none", () => {
  const { flags, args } = compiledFlags(["--state", "/s", "--output", "/o", "--map", "lake=/l"]);
  assert.deepEqual(args.slice(-2), ["--run-dir", "/s/compiled/run"]);
  assert.deepEqual(flag(flags, "write"), ["/s", "/o", "/l", "/s/compiled/run"]);
  assert.equal(flag(flags, "net")?.[0], "unix:/s/compiled/run/t0/s/b.sock");
  const worker = permissionFlags("worker", [], place);
  for (const name of ["env", "sys"]) assert.deepEqual(flag(flags, name), flag(worker, name));
  const open = compiledFlags([]).flags.filter((each) => !each.includes("="));
  assert.deepEqual(open, [
    ...[
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-run",
      "--allow-net",
      "--allow-ffi",
    ],
  ]);
});

Deno.test("a folder with a comma in its name is granted by the one above it, as flags have no escape", () => {
  const flags = permissionFlags("sentinel", ["--root", "/data/a,b/c"], place);
  assert.equal(flag(flags, "read")?.at(-2), "/data");
});

Deno.test("a wrong database URL grants nothing and is left for the program to refuse", () => {
  const flags = permissionFlags("sentinel", ["--database", "mysql://x"], place);
  assert.deepEqual(flag(flags, "write"), ["/home/me/.casparian"]);
});

Deno.test("a root is a directory, or one with a name before it", () => {
  assert.equal(rootDirectory("in=data"), "data");
  assert.equal(rootDirectory("./odd=name"), "./odd=name");
  assert.equal(rootDirectory("data"), "data");
});

Deno.test("program options are read up to a bare --", () => {
  const options = readProgramOptions(["--root", "a", "--root=b", "--state", "--", "--root", "c"]);
  assert.deepEqual(options.all("root"), ["a", "b"]);
  assert.equal(options.one("output"), undefined);
});

Deno.test("the tasks grant FFI to the very version of zeromq that is imported", () => {
  const version = denoJson.imports.zeromq.split("@")[1];
  for (const name of ["casparian", "start", "sentinel", "worker", "bundle", "compile"] as const) {
    assert.ok(denoJson.tasks[name].includes(`--allow-ffi=node_modules/.deno/zeromq@${version} `));
  }
});
