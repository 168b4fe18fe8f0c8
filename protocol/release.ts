/** The version of this program, as `casparian --version`, IDENTIFY and `system.info` tell it. */
export const RELEASE = "0.1.0";
