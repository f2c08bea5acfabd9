/** Of the whole of Hawser: client, engine and native programs are one release. */
export const programVersion = "0.1.0";
