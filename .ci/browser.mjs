// Unpack the Chromium that its npm package carries, and the libraries that a bare machine lacks, into TMPDIR.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const folder = resolve(process.argv[2], "node_modules/@sparticuz/chromium");
const { inflate } = await import(pathToFileURL(join(folder, "build/lambdafs.js")));
for (const name of ["chromium.br", "al2023.tar.br"]) console.log(await inflate(join(folder, "bin", name)));
