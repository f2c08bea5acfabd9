/** Of the whole of Hawser: client, engine and native programs are one release. */
export const version = "0.1.0";
