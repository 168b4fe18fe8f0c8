import { openSqliteStore } from "./sqlite.ts";
import { storeConformance } from "./store_conformance.ts";

storeConformance("sqlite", () => openSqliteStore(":memory:", () => 1));
