/**
 * The `{{name}}` DNS-01 provider.
 *
 * The API at `api.example.com` is made up. Put your vendor's in its place, here and in `conformance.json`.
 */

import { bearer, Client, dns, env, exportProvider, PluginError, segment } from "acme-manager-plugin";

const TOKEN = "{{NAME}}_API_TOKEN";
const BASE_URL = "{{NAME}}_API_URL";
const DEFAULT_URL = "https://api.example.com/v1";
/** What the keys of times begin with: `{{NAME}}_TTL` and so on. */
const PREFIX = "{{NAME}}_";
const TTL = 120;

class {{Type}}Provider {
  // Works without environment and network: the server asks when it loads the plugin.
  static describe() {
    return {
      name: "{{name}}",
      version: "0.1.0",
      homepage: "https://example.com/docs/api",
      hosts: ["api.example.com"],
      environment: [
        { name: TOKEN, required: true, secret: true, help: "API token that may edit DNS records" },
        { name: BASE_URL, endpoint: true, default: DEFAULT_URL, help: "Address of the API" },
      ],
      times: { prefix: PREFIX, ttl: TTL, propagationTimeout: 60, pollingInterval: 5 },
    };
  }

  // Each call gets a new instance: nothing but the handle lives from `present` to `cleanup`.
  constructor() {
    const authorization = bearer(env.required(TOKEN));
    this.api = new Client(env.optional(BASE_URL, DEFAULT_URL), { headers: { authorization } });
    this.ttl = env.ttl(PREFIX, TTL);
  }

  // Only reads. What is wrong with the token is found out before a certificate is ordered.
  check() {
    this.api.get("account");
  }

  // A value that is there already is a success, and other values at the name stay.
  present(record) {
    const zone = this.zone(record);
    const [found] = this.find(zone, record);
    if (found) return `${zone}/${found.id}`;
    const { name, value } = record;
    const json = { type: "TXT", name, value, ttl: dns.ttlOr(record, this.ttl) };
    const { id } = this.api.post(records(zone), { json }).json((created) => created.id);
    return `${zone}/${id}`;
  }

  // Removes exactly this value; one that is gone is a success.
  cleanup(record, handle) {
    const [zone, id] = handle.split("/");
    if (id) {
      this.delete(zone, id);
    } else {
      // The server died before it had a handle, so the value is looked up.
      this.cleanupByValue(record);
    }
  }

  cleanupByValue(record) {
    let zone;
    try {
      zone = this.zone(record);
    } catch (error) {
      // With its zone the value is gone too.
      if (error.kind === "zone-not-found") return;
      throw error;
    }
    for (const { id } of this.find(zone, record)) this.delete(zone, id);
  }

  /** The zone of the account that holds the name: usually the one that the host found, the first candidate. */
  zone(record) {
    const exists = (zone) => this.api.get(`zones/${segment(zone)}`, { accept: [404] }).ok;
    const zone = dns.zoneCandidates(record).find(exists);
    if (!zone) throw PluginError.zoneNotFound(record.name);
    return zone;
  }

  /** The records that hold exactly this value. */
  find(zone, { name, value }) {
    const answer = this.api.get(records(zone), { query: { type: "TXT", name } });
    const all = answer.json((body) => Array.isArray(body.records)).records;
    return all.filter((found) => found.value === value);
  }

  delete(zone, id) {
    this.api.delete(`${records(zone)}/${segment(id)}`, { accept: [404] });
  }
}

function records(zone) {
  return `zones/${segment(zone)}/records`;
}

export const provider = exportProvider({{Type}}Provider);
