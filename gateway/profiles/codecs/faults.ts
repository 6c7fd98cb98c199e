/** Why a codec refuses bytes; the names under which frames stand in quarantine. */

/** The bytes are well formed but belong to another device or message. */
export class NotThisDevice extends Error {}
/** Fewer or more bytes than the layout has. */
export class WrongLength extends Error {}
