// One scenario through the official JavaScript SDK: node scenario.mjs SDK URL TOKEN RECEIVER
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const [sdk, serverUrl, token, receiver] = process.argv.slice(2);
const module = await import(sdk);
const { Svix, Webhook } = module.Svix ? module : module.default;
const svix = new Svix(token, { serverUrl });

async function eventually(check) {
  for (let tries = 0; tries < 500; tries++) {
    const found = await check();
    if (found) return found;
    await pause(20);
  }
  throw new Error(`never: ${check}`);
}

async function fails(status, promise) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, status);
    return true;
  });
}

const app = await svix.application.create({ name: "Acme", uid: "acme", metadata: { plan: "pro" } });
assert.equal((await svix.application.getOrCreate({ name: "Other", uid: "acme" })).id, app.id);
assert.equal((await svix.application.patch("acme", { throttleRate: 7 })).throttleRate, 7);
for (let number = 0; number < 3; number++) await svix.application.create({ name: `Other ${number}` });
const first = await svix.application.list({ limit: 2 });
const second = await svix.application.list({ limit: 2, iterator: first.iterator });
assert.deepEqual([first.data.length, first.done, second.data.length, second.done], [2, false, 2, true]);
const back = await svix.application.list({ limit: 2, iterator: second.prevIterator });
assert.deepEqual(back.data.map((each) => each.id), first.data.map((each) => each.id));

await svix.eventType.create({ name: "invoice.paid", description: "Paid", schemas: { 1: { type: "object", examples: [{}] } } });
await fails(409, svix.eventType.create({ name: "invoice.paid", description: "Paid" }));

const endpoint = await svix.endpoint.create("acme", { url: receiver, uid: "main", eventTypes: ["invoice.paid"] });
await svix.endpoint.patchHeaders("acme", "main", { headers: { "X-One": "1", Authorization: "s" } });
const headers = await svix.endpoint.getHeaders("acme", "main");
assert.deepEqual([headers.headers, headers.sensitive], [{ "X-One": "1" }, ["Authorization"]]);
const before = (await svix.endpoint.getSecret("acme", "main")).key;
await svix.endpoint.rotateSecret("acme", "main", {});
const secret = (await svix.endpoint.getSecret("acme", "main")).key;
assert.notEqual(secret, before);
new Webhook(secret);

const key = { idempotencyKey: "once" };
const body = { eventType: "invoice.paid", payload: { id: 1 }, eventId: "inv-1" };
const message = await svix.message.create("acme", body, key);
assert.equal((await svix.message.create("acme", body, key)).id, message.id);
await fails(409, svix.message.create("acme", body));
const [attempt] = await eventually(async () => {
  const { data } = await svix.messageAttempt.listByMsg("acme", message.id);
  return data.length && data;
});
assert.equal(attempt.status, 0);
assert.equal((await svix.messageAttempt.get("acme", message.id, attempt.id)).id, attempt.id);
assert.equal((await svix.messageAttempt.listByEndpoint("acme", endpoint.id)).data.length, 1);
assert.equal((await svix.messageAttempt.listAttemptedMessages("acme", endpoint.id)).data[0].id, message.id);
await svix.messageAttempt.resend("acme", message.id, endpoint.id);
await eventually(async () => (await svix.messageAttempt.listByMsg("acme", message.id)).data.length === 2);
assert.deepEqual((await svix.message.get("acme", "inv-1", { withContent: true })).payload, { id: 1 });
assert.ok((await svix.message.list("acme")).data[0].timestamp instanceof Date);
const poller = svix.message.poller;
const pulled = await eventually(async () => {
  const page = await poller.consumerPoll("acme", "warehouse", "one", { limit: 1 });
  return page.data.length && page;
});
assert.deepEqual([pulled.data[0].id, pulled.data[0].payload], [message.id, { id: 1 }]);
assert.equal((await poller.consumerPoll("acme", "warehouse", "one")).data[0].id, message.id);
assert.deepEqual((await poller.consumerPoll("acme", "warehouse", "one", { iterator: pulled.iterator })).data, []);
assert.deepEqual((await poller.consumerPoll("acme", "warehouse", "one")).data, []);
const sought = await poller.consumerSeek("acme", "warehouse", "one", { after: new Date(Date.now() - 3600_000) });
assert.equal((await poller.consumerPoll("acme", "warehouse", "one", sought)).data[0].id, message.id);
await svix.endpoint.recover("acme", endpoint.id, { since: new Date(Date.now() - 3600_000) });
await svix.endpoint.sendExample("acme", endpoint.id, { eventType: "invoice.paid" });
assert.equal((await svix.endpoint.getStats("acme", endpoint.id)).fail, 0);
assert.equal((await svix.message.expungeAllContents("acme")).task, "application.purge_content");
const operational = await svix.operationalWebhook.endpoint.create({ url: receiver });
assert.equal((await svix.operationalWebhook.endpoint.list()).data[0].id, operational.id);

const access = await svix.authentication.appPortalAccess("acme", {});
const portal = new Svix(access.token, { serverUrl });
assert.equal((await portal.application.get("acme")).uid, "acme");
await fails(403, portal.application.list());
await fails(422, svix.application.create({ name: "" }));
await fails(404, svix.application.get("nobody"));
await fails(404, svix.integration.list("acme"));
await svix.endpoint.delete("acme", "main");
await svix.application.delete("acme");
await svix.health.get();
console.log("done");
