import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { openReading } from "../reading.ts";
import { type MissingEnd, missingEnd, SCAN_BYTES_MAX } from "./missing_end.ts";

const open = openReading();
const path = Deno.makeTempFileSync({ prefix: "casparian-end-" });
addEventListener("unload", () => Deno.removeSync(path));

/** What is missing at the end of a file with that name and these bytes. */
async function missing(
  name: string,
  content: string | Uint8Array,
  { thoroughly = true } = {},
): Promise<string | null> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  Deno.writeFileSync(path, bytes);
  const end = await look(name, bytes.length, thoroughly);
  assert.notEqual(end?.isCertain, false);
  return end?.what ?? null;
}

async function look(name: string, size: number, thoroughly = true): Promise<MissingEnd | null> {
  using reading = open(path);
  return await missingEnd(reading, { name, size, thoroughly, breathe: () => Promise.resolve() });
}

/** Whole, and cut off anywhere: the promise of this folder, for bytes that are written front to back. */
async function isToldByItsEnd(name: string, whole: Uint8Array, what: string): Promise<void> {
  assert.equal(await missing(name, whole), null, `${name}, whole`);
  const cuts = new Set([0, 1, whole.length - 1]);
  for (let part = 1; part < 20; part++) cuts.add(Math.floor(whole.length * part / 20));
  for (const cut of cuts) {
    assert.equal(await missing(name, whole.subarray(0, cut)), what, `${name}, ${cut} bytes`);
  }
}

const text = (length: number) =>
  Array.from({ length }, (_, i) => `${i};${i * 7919 % 1000}\n`).join("");
const utf8 = (content: string) => new TextEncoder().encode(content);

Deno.test("gzip ends with its trailer", async () => {
  await isToldByItsEnd("x.csv.gz", gzipSync(text(20_000)), "gzip trailer");
});

Deno.test("gzip of several members ends with the last one's, zeros may follow", async () => {
  const members = [text(1000), "", text(3000)].map((each) => gzipSync(each));
  const whole = Buffer.concat(members);
  assert.equal(await missing("x.gz", whole), null);
  assert.equal(await missing("x.gz", Buffer.concat([whole, Buffer.alloc(512)])), null);
  const lengths = members.map(({ length }) => length);
  for (const cut of [lengths[0]! + 1, lengths[0]! + lengths[1]! + 9, whole.length - 1]) {
    assert.equal(await missing("x.gz", whole.subarray(0, cut)), "gzip trailer", `${cut}`);
  }
});

Deno.test("gzip with a hole in the middle is not whole, though its tail is", async () => {
  const bytes = gzipSync(text(20_000));
  bytes.fill(0, 1000, 3000);
  assert.equal(await missing("x.gz", bytes), "gzip trailer");
});

Deno.test("a file that unpacks to more than the bound is not looked through to its end", async () => {
  const zeros = gzipSync(new Uint8Array(64 << 20));
  Deno.writeFileSync(path, Buffer.concat(Array.from({ length: 20 }, () => zeros)));
  const end = await look("x.gz", Deno.statSync(path).size);
  assert.deepEqual(end, { what: "gzip trailer", isCertain: false });
});

Deno.test("a file that is bigger than the bound is not looked through at all", async () => {
  Deno.writeFileSync(path, gzipSync("x"));
  Deno.truncateSync(path, SCAN_BYTES_MAX + 1);
  const end = await look("x.gz", SCAN_BYTES_MAX + 1);
  assert.deepEqual(end, { what: "gzip trailer", isCertain: false });
});

/** Python's zipfile writes what other programs read; also with a comment, and zip64. */
function pythonZip(script: string): Uint8Array {
  const source = `
import sys, zipfile
out = sys.argv[1]
${script}`;
  const { success, stderr } = new Deno.Command("python3", { args: ["-c", source, path] })
    .outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return Deno.readFileSync(path);
}

const ZIP = `
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
    for i in range(30): z.writestr(f"f{i}.txt", "row\\n" * i * 50)`;

Deno.test("zip ends with its directory", async () => {
  await isToldByItsEnd("x.zip", pythonZip(ZIP), "zip directory");
  await isToldByItsEnd("x.xlsx", pythonZip(ZIP), "zip directory");
});

Deno.test("zip may have a comment behind its directory, and be empty", async () => {
  const comment = pythonZip(`${ZIP}\n    z.comment = b"PK" * 30000`);
  assert.equal(await missing("x.zip", comment), null);
  assert.equal(await missing("x.zip", comment.subarray(0, -1)), "zip directory");
  assert.equal(await missing("x.zip", pythonZip(`zipfile.ZipFile(out, "w").close()`)), null);
});

Deno.test("the end of a zip within a zip is not the end of the outer one", async () => {
  const inner = pythonZip(ZIP);
  const outer = pythonZip(`
inner = open(out, "rb").read()
with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
    z.writestr("a.txt", "x" * 100)
    z.writestr("inner.zip", inner)
    z.writestr("b.txt", "x" * 100)`);
  const innerEnd = Buffer.from(outer).indexOf(inner.subarray(-22)) + 22;
  assert.ok(innerEnd > 22);
  assert.equal(await missing("x.zip", outer.subarray(0, innerEnd)), "zip directory");
  assert.equal(await missing("x.zip", outer), null);
});

Deno.test("zip64 has numbers that the old record cannot hold", async () => {
  const whole = pythonZip(`
zipfile.ZIP64_LIMIT = 100; zipfile.ZIP_FILECOUNT_LIMIT = 2${ZIP}`);
  assert.ok(Buffer.from(whole).includes(Buffer.from([0x50, 0x4b, 6, 7])), "it has a zip64 record");
  assert.equal(await missing("x.zip", whole), null);
  assert.equal(await missing("x.zip", whole.subarray(0, -22)), "zip directory");
});

/** Framed as the format says; what is between is never read. */
function framed(magic: string, footerBytes: number, dataBytes = 5000): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footerBytes);
  const end = [Buffer.alloc(footerBytes, 7), length, Buffer.from(magic)];
  return Buffer.concat([Buffer.from(magic), Buffer.alloc(dataBytes, 3), ...end]);
}

Deno.test("Parquet and Arrow files end with their name and a footer that fits", async () => {
  await isToldByItsEnd("x.parquet", framed("PAR1", 300), "Parquet footer");
  await isToldByItsEnd("x.feather", framed("ARROW1", 300), "Arrow footer");
  const tooLong = framed("PAR1", 300, 10);
  tooLong.set([255, 255], tooLong.length - 8);
  assert.equal(await missing("x.parquet", tooLong), "Parquet footer");
});

Deno.test("JSON is closed when all brackets are", async () => {
  const rows = Array.from(
    { length: 300 },
    (_, id) => ({ id, note: `}]"\\ ${id} ü`, list: [[id]] }),
  );
  const what = "closing JSON bracket";
  await isToldByItsEnd("x.json", utf8(JSON.stringify(rows)), what);
  await isToldByItsEnd("x.json", utf8(JSON.stringify({ rows }, null, 2)), what);
  assert.equal(await missing("x.json", `\uFEFF ${JSON.stringify(rows)} \r\n\n`), null);
  assert.equal(await missing("x.json", `${JSON.stringify(rows)}${" ".repeat(9000)}`), null);
  assert.equal(await missing("x.json", '{"a": {"b": 1}'), what);
  assert.equal(await missing("x.json", '{"a": "}'), what);
  assert.equal(await missing("x.json", ""), what);
});

Deno.test("JSON may be several documents, or no more than a number", async () => {
  for (const whole of ['{"a":1}\n{"a":2}\n', "[1][2]", "12", "null", '"text"', '{"a":1}}']) {
    assert.equal(await missing("x.json", whole), null, whole);
  }
  assert.equal(await missing("x.json", '"tex'), "closing JSON bracket");
});

Deno.test("any document that JSON.stringify() makes is closed, and open one byte before", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue())),
      async (value) => {
        const whole = utf8(JSON.stringify(value));
        assert.equal(await missing("x.json", whole), null);
        assert.notEqual(await missing("x.json", whole.subarray(0, -1)), null);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("JSON is known by its beginning, whatever its name is; other brackets are not JSON", async () => {
  assert.equal(await missing("export.dat", '[{"id": 1}, {"id":'), "closing JSON bracket");
  assert.equal(await missing("export", '\n{ "id": 1, '), "closing JSON bracket");
  for (
    const other of [
      "[section]\nkey = {",
      "[2024-01-01 10:00] start {",
      "{x}; {y",
      "{% if a %}",
      "[[x]] [",
    ]
  ) {
    assert.equal(await missing("x.txt", other), null, other);
  }
});

Deno.test("JSON lines end with a line that is ended or whole", async () => {
  const lines = Array.from({ length: 500 }, (_, id) => JSON.stringify({ id, s: "}" })).join("\n");
  for (const name of ["x.jsonl", "x.ndjson", "x.log"]) {
    assert.equal(await missing(name, lines), null);
    assert.equal(await missing(name, `${lines}\n`), null);
    assert.equal(await missing(name, lines.slice(0, -1)), "last JSON line");
    assert.equal(await missing(name, `${lines}\n{"id"`), "last JSON line");
  }
  assert.equal(await missing("x.jsonl", ""), null);
  const long = `{"a":1}\n{"b":"${"x".repeat(100_000)}`;
  assert.equal(await missing("x.jsonl", long), "last JSON line");
  assert.equal(await missing("x.jsonl", `${long}"}`), null);
});

Deno.test("XML ends when its root is closed", async () => {
  const rows = Array.from({ length: 400 }, (_, id) => `<row id="${id}" b='/>'>ü<v/></row>`).join(
    "\n",
  );
  const whole = `<?xml version="1.0"?>
<!DOCTYPE rows [<!ENTITY a "b"><!ELEMENT v EMPTY>]>
<!-- <rows> is -- not -- open -->
<rows a="x > y"><![CDATA[ <rows> ]] > ]]>${rows}</rows>`;
  await isToldByItsEnd("x.xml", utf8(whole), "closing XML tag");
  assert.equal(await missing("x.xml", `${whole}\n<!-- end -->\n<?done?> \n`), null);
  assert.equal(await missing("x.xml", `${whole}\n<!-- end`), "closing XML tag");
});

Deno.test("XML whose elements have the name of the root is open until that one is closed", async () => {
  assert.equal(await missing("x.xml", "<a><a></a>"), "closing XML tag");
  assert.equal(await missing("x.xml", "<a><a></a></a>"), null);
  assert.equal(await missing("x.kml", "<a/>"), null);
  assert.equal(await missing("x.xml", "<a>1</a>\n<a>2</a>\n"), null);
});

Deno.test("XML is known by its declaration, HTML is not XML", async () => {
  assert.equal(await missing("export", '<?xml version="1.0"?><a>'), "closing XML tag");
  for (const other of ["<!DOCTYPE html><p>", "<html><br>"]) {
    assert.equal(await missing("x.xml", other), null, other);
  }
  assert.equal(await missing("x.txt", "<a> is less than b"), null);
});

Deno.test("a kind that is not known has no end, neither has one that only its name tells", async () => {
  for (
    const [name, content] of [["x.csv", "a,b\n1,"], ["x.gz", "not gzip, but long enough"], [
      "x",
      "",
    ]]
  ) {
    assert.equal(await missing(name!, content!), null, name);
  }
});

Deno.test("room that was laid out but is not filled is no content", async () => {
  const what = "content (zero bytes stand in its place)";
  assert.equal(await missing("x.csv", new Uint8Array(5000)), what);
  assert.equal(await missing("x.csv", Buffer.concat([utf8(text(1000)), Buffer.alloc(100)])), what);
  const tar = Buffer.concat([utf8("name"), Buffer.alloc(100), utf8("ustar"), Buffer.alloc(2000)]);
  assert.equal(await missing("x.tar", tar), null);
  assert.equal(await missing("x.bin", new Uint8Array(3)), null);
});

Deno.test("what takes reading all of the file is left out when it is not to be thorough", async () => {
  const lax = { thoroughly: false };
  assert.equal(await missing("x.gz", gzipSync(text(2000)).subarray(0, 500), lax), null);
  assert.equal(await missing("x.json", '{"a": {"b": 1}', lax), null);
  assert.equal(await missing("x.json", '{"a": {"b": 1', lax), "closing JSON bracket");
  assert.equal(await missing("x.xml", "<a><b></b>", lax), null);
});
