// The official npm client, unchanged. Reads one scenario from argv, prints one JSON document about what happened.
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import OpenAI, { toFile } from "openai";

const [scenario, baseURL, uploads] = process.argv.slice(2);
const client = new OpenAI({
  apiKey: scenario === "wrong-key" ? "sk-wrong" : "sk-test",
  baseURL,
  maxRetries: scenario === "retry" ? 1 : 0,
});
const base = { model: "dall-e-2", prompt: "a corgi astronaut", size: "256x256" };

const upload = (name) => toFile(readFileSync(join(uploads, name)), name, { type: "image/png" });
const untyped = () => createReadStream(join(uploads, "image.png")); // sent as application/octet-stream
const edit = async (image, mask) => client.images.edit({ ...base, prompt: "a red hat", image, mask, response_format: "b64_json" });
const heads = (answer) => ({ heads: answer.data.map((i) => Buffer.from(i.b64_json, "base64").toString("hex", 0, 24)) });

const scenarios = {
  url: async () => {
    const answer = await client.images.generate({ ...base, n: 2 });
    const pictures = await Promise.all(answer.data.map(async (image) => (await fetch(image.url)).arrayBuffer()));
    return { created: answer.created, heads: pictures.map((picture) => Buffer.from(picture).toString("hex", 0, 24)) };
  },
  b64_json: async () => {
    const answer = await client.images.generate({ ...base, response_format: "b64_json" });
    return { created: answer.created, heads: answer.data.map((i) => Buffer.from(i.b64_json, "base64").toString("hex", 0, 24)) };
  },
  edit: async () => heads(await edit(await upload("image.png"), await upload("mask.png"))),
  vary: async () =>
    heads(
      await client.images.createVariation({
        image: await upload("image.png"),
        model: "dall-e-2",
        n: 2,
        size: "256x256",
        response_format: "b64_json",
      }),
    ),
  "edit-untyped": () => edit(untyped()),
  "vary-untyped": () => client.images.createVariation({ image: untyped(), model: "dall-e-2" }),
  "edit-list": async () => edit([await upload("image.png")]),
  "edit-mask": async () => edit(await upload("image.png"), await upload("small-mask.png")),
  "bad-request": () => client.images.generate({ ...base, size: "1536x1024" }),
  "wrong-key": () => client.images.generate(base),
  "not-found": () => client.fineTuning.jobs.list(),
  "rate-limit": () => client.images.generate(base),
  retry: async () => ({ images: (await client.images.generate(base)).data.length }),
};

try {
  console.log(JSON.stringify(await scenarios[scenario]()));
} catch (error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  const { status, code, type, param, requestID } = error;
  console.log(JSON.stringify({ error: error.constructor.name, status, code, type, param, requestID }));
}
