/** A web server's access logs, rotated and zipped by the hour; a size of "-" means that nothing was sent. */
import { gzip } from "./archive.ts";
import { type DemoFolder, sum, times } from "./folder.ts";
import type { SeededRandom } from "./random.ts";

const FILES = 6;
const PATHS = ["/", "/cart", "/search?q=caf%C3%A9", "/img/logo.png", "/api/v1/items/17"];
const AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", 'odd \\"agent\\"'];

export function makeWebLogs(random: SeededRandom): DemoFolder {
  const hours = times(
    FILES,
    (hour) => times(random.int(250, 400), (n) => request(random, hour, n)),
  );
  const all = hours.flat();
  return {
    files: hours.map((requests, hour) => {
      const text = requests.map((one) => `${one.line}\n`).join("");
      const bytes = gzip(new TextEncoder().encode(text));
      return { path: `web_logs/access.2024-03-0${hour + 1}.log.gz`, bytes };
    }),
    topics: {
      web_requests: {
        files: FILES,
        rows: all.length,
        sums: {
          status: `${sum(all.map((one) => one.status))}`,
          bytes_sent: `${sum(all.map((one) => one.bytesSent ?? 0))}`,
        },
      },
    },
  };
}

function request(random: SeededRandom, day: number, n: number) {
  const status = random.pick([200, 200, 200, 301, 304, 404, 500]);
  const bytesSent = status === 304 ? null : random.int(80, 90_000);
  const ip = `10.${random.int(0, 3)}.${random.int(0, 255)}.${random.int(1, 254)}`;
  const minute = `${Math.floor(n / 60) % 60}`.padStart(2, "0");
  const at = `0${day + 1}/Mar/2024:10:${minute}:${`${n % 60}`.padStart(2, "0")} +0100`;
  const head = `${random.pick(["GET", "GET", "POST"])} ${random.pick(PATHS)} HTTP/1.1`;
  const line = `${ip} - - [${at}] "${head}" ${status} ${bytesSent ?? "-"} "-" "${
    random.pick(AGENTS)
  }"`;
  return { line, status, bytesSent };
}
