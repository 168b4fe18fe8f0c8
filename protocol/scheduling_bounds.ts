/** What MANIFEST, the control API and the command line allow, in a file that loads no schema. */

/** A plugin's share beside others. */
export const WEIGHT_MAX = 100;
/** Failures in a row that pause a plugin. */
export const PAUSE_AFTER_MAX = 1_000_000;
/** Jobs of a plugin or a root at the same time, where that is limited. */
export const JOBS_AT_ONCE_MAX = 1_000_000;
/** A job's priority lies between minus this and this; rules and plugins add up to less. */
export const JOB_PRIORITY_MAX = 10_000;
