/** Folder of LiteRT's WebAssembly, relative to the page, with a slash at its end. */
declare const LITERT_FOLDER: string;
/** Size of LiteRT's WebAssembly. */
declare const LITERT_BYTES: number;
