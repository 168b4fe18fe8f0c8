export interface ScanClock {
  /** Milliseconds on a clock that only runs forward; for all waiting and measuring. */
  nowMs(): number;
  /** Milliseconds since the epoch, as files have them. */
  wallMs(): number;
}
