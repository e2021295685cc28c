// The peer: node-oidc-provider with ES256 and PostgreSQL behind it. PORT and PGURL come from the environment.
import { generateKeyPairSync } from 'node:crypto';
import * as oidc from 'oidc-provider';
import pg from 'pg';

const { default: Provider, errors } = oidc;
const { PORT, PGURL } = process.env;
const pool = new pg.Pool({ connectionString: PGURL, max: 8 });
await pool.query(`
  create table if not exists users (id text primary key, email text, name text);
  create table if not exists payloads (
    id text, type text, payload jsonb, grant_id text, user_code text, uid text,
    expires_at timestamptz, consumed_at timestamptz, primary key (id, type));
  create index if not exists payloads_grant on payloads (grant_id);
  create index if not exists payloads_uid on payloads (uid);
  insert into users select 'u' || i, 'u' || i || '@x.test', 'User ' || i from generate_series(1, 1000) i
    on conflict do nothing;
  insert into users values ('admin', 'admin@x.test', 'Admin') on conflict do nothing;`);

// Named statements are prepared once per connection.
const query = (name, text, values) => pool.query({ name, text, values });
const COLUMNS = 'select payload, expires_at, consumed_at from payloads';

class Adapter {
  constructor(type) { this.type = type; }

  async upsert(id, payload, expiresIn) {
    const expires = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
    await query('upsert', `insert into payloads (id, type, payload, grant_id, user_code, uid, expires_at)
      values ($1, $2, $3, $4, $5, $6, $7) on conflict (id, type)
      do update set payload = $3, grant_id = $4, user_code = $5, uid = $6, expires_at = $7`,
    [id, this.type, payload, payload.grantId ?? null, payload.userCode ?? null, payload.uid ?? null, expires]);
  }

  live({ rows: [row] }) {
    if (!row || (row.expires_at !== null && row.expires_at <= new Date())) return undefined;
    return { ...row.payload, ...(row.consumed_at ? { consumed: true } : undefined) };
  }

  async find(id) { return this.live(await query('find', `${COLUMNS} where id = $1 and type = $2`, [id, this.type])); }

  async findByUid(uid) { return this.live(await query('uid', `${COLUMNS} where uid = $1 and type = $2`, [uid, this.type])); }

  async findByUserCode(code) {
    return this.live(await query('code', `${COLUMNS} where user_code = $1 and type = $2`, [code, this.type]));
  }

  async consume(id) {
    await query('consume', 'update payloads set consumed_at = now() where id = $1 and type = $2', [id, this.type]);
  }

  async destroy(id) { await query('destroy', 'delete from payloads where id = $1 and type = $2', [id, this.type]); }

  async revokeByGrantId(grant) { await query('revoke', 'delete from payloads where grant_id = $1', [grant]); }
}

const user = async (id) => (await query('user', 'select id, email, name from users where id = $1', [id])).rows[0];
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  adapter: Adapter,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'k1' }] },
  cookies: { keys: ['k'] },
  clients: [{
    client_id: 'app',
    client_secret: 'secret',
    redirect_uris: ['http://127.0.0.1:9/cb'],
    grant_types: ['authorization_code', EXCHANGE],
    response_types: ['code'],
    id_token_signed_response_alg: 'ES256',
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  pkce: { required: () => true },
  claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
  features: {
    devInteractions: { enabled: true }, introspection: { enabled: true }, resourceIndicators: { enabled: false },
  },
  ttl: { AccessToken: 86400, Session: 86400, Grant: 86400, Interaction: 3600, IdToken: 3600, AuthorizationCode: 60 },
  async findAccount(ctx, id) {
    const found = await user(id);
    return found && { accountId: id, claims: () => ({ sub: id, email: found.email, name: found.name }) };
  },
  extraTokenClaims(ctx) { return ctx.oidc.act ? { act: ctx.oidc.act } : undefined; },
});

// RFC 8693: the admin's own access token is the actor's, the subject is named; so its tokens carry `act` as ours do.
provider.registerGrantType(EXCHANGE, async (ctx) => {
  const { params, client } = ctx.oidc;
  const actor = await provider.AccessToken.find(params.actor_token);
  const subject = await user(params.subject_token);
  if (!actor || !subject) throw new errors.InvalidGrant('actor_token or subject_token');
  ctx.oidc.act = { sub: actor.accountId };
  const grant = new provider.Grant({ clientId: client.clientId, accountId: subject.id });
  grant.addOIDCScope('openid email');
  const token = new provider.AccessToken({
    client, accountId: subject.id, grantId: await grant.save(), gty: 'token_exchange', scope: 'openid email',
  });
  ctx.oidc.entity('AccessToken', token);
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: token.expiration,
  };
}, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type']);

provider.listen(Number(PORT), '127.0.0.1');
