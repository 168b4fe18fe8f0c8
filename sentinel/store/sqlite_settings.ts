/** All SQL of what people set: roots, rules, subscriptions, topics; and of workers and the audit log. */
import type { DatabaseSync } from "node:sqlite";
import type { SinkMode } from "../../protocol/messages.ts";
import { PARTIAL_BUILT_IN, type Rule } from "../../protocol/records.ts";
import type { Change, JobCount, NewRoot, Outcome, RootRow, TopicCount } from "./store.ts";
import { statement } from "./statement.ts";

const ROOTS = `SELECT r.id, r.name, r.directory, r.settle_ms, r.patience_ms, r.poll_ms, r.poll_only,
    r.marker, r.partial, r.ignore, r.jobs_max, c.files, c.arriving, c.problems
  FROM source_roots r JOIN root_counts c ON c.root_id = r.id
  WHERE r.removed_at_ms IS NULL ORDER BY r.id`;
const ADD_ROOT = `INSERT INTO source_roots
    (name, directory, settle_ms, patience_ms, poll_ms, poll_only, marker, partial, ignore)
  VALUES (:name, :directory, :settleMs, :patienceMs, :pollMs, :pollOnly, :marker, :partial, :ignore)
  ON CONFLICT (name) DO UPDATE SET directory = :directory, settle_ms = :settleMs,
    patience_ms = :patienceMs, poll_ms = :pollMs, poll_only = :pollOnly, marker = :marker,
    partial = :partial, ignore = :ignore, removed_at_ms = NULL
  RETURNING id`;
const REMOVE_ROOT = `UPDATE source_roots SET removed_at_ms = :nowMs
  WHERE name = :name AND removed_at_ms IS NULL`;
const LIMIT_ROOT = `UPDATE source_roots SET jobs_max = :jobsMax
  WHERE name = :name AND removed_at_ms IS NULL`;

const RULES = `SELECT id, pattern, tag, priority, enabled, description FROM routing_rules
  ORDER BY priority DESC, id`;
const ADD_RULE = `INSERT INTO routing_rules (pattern, tag, priority, enabled, description)
  VALUES (:pattern, :tag, :priority, :enabled, :description)`;
const UPDATE_RULE = `UPDATE routing_rules SET pattern = :pattern, tag = :tag, priority = :priority,
    enabled = :enabled, description = :description WHERE id = :id`;
const DELETE_RULE = `DELETE FROM routing_rules WHERE id = :ruleId`;
const SUBSCRIPTIONS = `SELECT plugin, tag FROM plugin_subscriptions ORDER BY plugin, tag`;
const SUBSCRIBE = `INSERT INTO plugin_subscriptions VALUES (:plugin, :tag) ON CONFLICT DO NOTHING`;
const UNSUBSCRIBE = `DELETE FROM plugin_subscriptions WHERE plugin = :plugin AND tag = :tag`;
const TOPICS = `SELECT topic, uri, mode FROM topic_configs ORDER BY topic`;
const SET_TOPIC = `INSERT INTO topic_configs (topic, uri, mode) VALUES (:topic, :uri, :mode)
  ON CONFLICT DO UPDATE SET uri = :uri, mode = :mode`;

const JOB_COUNTS = `SELECT plugin_name, state, jobs FROM job_counts`;
const TOPIC_COUNTS = `SELECT topic, files, rows, bytes FROM topic_counts ORDER BY topic`;

const WORKER_SEEN =
  `INSERT INTO workers (id, host, version, slots, sandbox, features, first_seen_ms, last_seen_ms)
  VALUES (:id, :host, :version, :slots, :sandbox, :features, :nowMs, :nowMs)
  ON CONFLICT DO UPDATE SET last_seen_ms = :nowMs, lost_at_ms = NULL`;
const WORKER_LOST = `UPDATE workers SET lost_at_ms = :nowMs, last_seen_ms = :nowMs
  WHERE id = :workerId`;
const DRAIN_WORKER = `UPDATE workers SET draining = :draining WHERE id = :workerId`;
const DRAINING_WORKERS = `SELECT id FROM workers WHERE draining = 1`;
const AUDIT = `INSERT INTO audit_log (at_ms, who, action, detail)
  VALUES (:atMs, :who, :action, :detail)`;

type StoredRoot = Omit<RootRow, "poll_only" | "partial" | "ignore"> & {
  poll_only: number | null;
  partial: string;
  ignore: string;
};
type RuleRow = Omit<Rule, "enabled"> & { enabled: number };
type ChangeOf<T extends Change["type"]> = Extract<Change, { type: T }>;

export function sqliteSettings(db: DatabaseSync) {
  const sql = {
    roots: statement<StoredRoot>(db, ROOTS),
    addRoot: statement<{ id: number }>(db, ADD_ROOT),
    removeRoot: statement(db, REMOVE_ROOT),
    limitRoot: statement(db, LIMIT_ROOT),
    rules: statement<RuleRow>(db, RULES),
    addRule: statement(db, ADD_RULE),
    updateRule: statement(db, UPDATE_RULE),
    deleteRule: statement(db, DELETE_RULE),
    subscriptions: statement<{ plugin: string; tag: string }>(db, SUBSCRIPTIONS),
    subscribe: statement(db, SUBSCRIBE),
    unsubscribe: statement(db, UNSUBSCRIBE),
    topics: statement<{ topic: string; uri: string; mode: SinkMode }>(db, TOPICS),
    setTopic: statement(db, SET_TOPIC),
    jobCounts: statement<JobCount>(db, JOB_COUNTS),
    topicCounts: statement<TopicCount>(db, TOPIC_COUNTS),
    workerSeen: statement(db, WORKER_SEEN),
    workerLost: statement(db, WORKER_LOST),
    drainWorker: statement(db, DRAIN_WORKER),
    drainingWorkers: statement<{ id: string }>(db, DRAINING_WORKERS),
    audit: statement(db, AUDIT),
  };
  return {
    roots: (): RootRow[] =>
      sql.roots.all().map((row) => ({
        ...row,
        poll_only: row.poll_only === null ? null : row.poll_only === 1,
        partial: JSON.parse(row.partial),
        ignore: JSON.parse(row.ignore),
      })),
    addRoot({ patienceMs = null, pollOnly = null, marker = null, ...root }: NewRoot): number {
      const partial = JSON.stringify(root.partial ?? [PARTIAL_BUILT_IN]);
      const ignore = JSON.stringify(root.ignore ?? []);
      const polls = pollOnly === null ? null : Number(pollOnly);
      return sql.addRoot.get({ ...root, patienceMs, pollOnly: polls, marker, partial, ignore })!.id;
    },
    removeRoot: (name: string, nowMs: number) => sql.removeRoot.run({ name, nowMs }).changes > 0,
    limitRoot: (name: string, jobsMax: number | null) =>
      sql.limitRoot.run({ name, jobsMax }).changes > 0,
    rules: (): Rule[] => sql.rules.all().map((rule) => ({ ...rule, enabled: rule.enabled === 1 })),
    /** @returns The rule's id, or null when there is none to update. */
    saveRule(rule: Omit<Rule, "id"> & { id?: number }): number | null {
      const values = { ...rule, enabled: rule.enabled ? 1 : 0 };
      if (rule.id === undefined) return sql.addRule.run(values).lastId;
      return sql.updateRule.run(values).changes > 0 ? rule.id : null;
    },
    deleteRule: (ruleId: number) => sql.deleteRule.run({ ruleId }).changes > 0,
    subscriptions: () => sql.subscriptions.all(),
    setSubscription(plugin: string, tag: string, subscribed: boolean): void {
      (subscribed ? sql.subscribe : sql.unsubscribe).run({ plugin, tag });
    },
    topics: () => sql.topics.all(),
    setTopic: (topic: string, uri: string, mode: SinkMode) =>
      void sql.setTopic.run({ topic, uri, mode }),
    counts: () => ({ jobs: sql.jobCounts.all(), topics: sql.topicCounts.all() }),
    workerSeen({ worker, nowMs }: ChangeOf<"worker_seen">): Outcome {
      sql.workerSeen.run({ ...worker, features: JSON.stringify(worker.features), nowMs });
      return { applied: true };
    },
    workerLost({ workerId, nowMs }: ChangeOf<"worker_lost">): Outcome {
      return { applied: sql.workerLost.run({ workerId, nowMs }).changes > 0 };
    },
    drainWorker: (workerId: string, draining: boolean) =>
      sql.drainWorker.run({ workerId, draining: draining ? 1 : 0 }).changes > 0,
    drainingWorkers: () => sql.drainingWorkers.all().map(({ id }) => id),
    audit: (entry: { atMs: number; who: string; action: string; detail: string }) =>
      void sql.audit.run(entry),
  };
}
