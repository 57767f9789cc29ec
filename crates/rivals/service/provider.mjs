// node-oidc-provider with everything in memory, ready to be measured: the same clients and kinds of token as ours.
// Usage: node provider.mjs PORT. Prints `ready` and then serves plain HTTP on 127.0.0.1.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://localhost:${port}`;

const key = (type, options, alg) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg };
};

// A resource a kind of access token, as in our configuration.
const resources = {
  'urn:bench:opaque': { scope: 'read', accessTokenFormat: 'opaque', accessTokenTTL: 600 },
  'urn:bench:rs256': { scope: 'read', accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'RS256' } } },
  'urn:bench:es256': { scope: 'read', accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } } },
};

// The adapter it brings forgets what is beyond a thousand entries, which a turn of the benchmark exceeds. This one does
// less: a map that forgets nothing.
class Memory {
  static entries = new Map();
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) { Memory.entries.set(this.key(id), payload); }
  async find(id) { return Memory.entries.get(this.key(id)); }
  async consume(id) { Memory.entries.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { Memory.entries.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const [key, payload] of Memory.entries) if (payload.grantId === grantId) Memory.entries.delete(key);
  }
}

const provider = new Provider(issuer, {
  adapter: Memory,
  clients: [
    { client_id: 'machine', client_secret: 'bench-secret-bench-secret-bench-secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
    { client_id: 'web', client_secret: 'bench-secret-bench-secret-bench-secret', grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['http://127.0.0.1/callback'], response_types: ['code'] },
  ],
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
  scopes: ['openid', 'offline_access', 'read'],
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (ctx, resource) => resources[resource],
      useGrantedResource: () => true,
    },
  },
});

// What people and pages would do beforehand, without them: a grant and a code bound to the challenge.
async function mint(challenge, scope) {
  const grant = new provider.Grant({ accountId: 'user', clientId: 'web' });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const code = new provider.AuthorizationCode({
    accountId: 'user', client: await provider.Client.find('web'), grantId, scope, gty: 'authorization_code',
    redirectUri: 'http://127.0.0.1/callback', codeChallenge: challenge, codeChallengeMethod: 'S256', nonce: randomUUID(),
  });
  return code.save();
}

provider.use(async (ctx, next) => {
  if (ctx.path !== '/bench/codes') return next();
  const { challenge, count, scope } = ctx.query;
  const codes = [];
  for (let i = 0; i < Number(count); i += 1) codes.push(await mint(challenge, scope));
  ctx.body = { codes };
});

provider.listen(port, '127.0.0.1', () => console.log('ready'));
