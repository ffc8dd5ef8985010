-- The engine of a team: what its hosts share, and the functions that are their only access to it.
--
-- Each function takes one JSON object with the host's token and gives one back. The token decides whose call it is; no function
-- believes a name. A lock lives inside one statement and never across the network. A notification says what there is to look at, and of which
-- number it is, so that who made that number need not look: v1 (leases), r1 (hosts). One without a number is looked at in any case.

create schema swarm;

create table swarm.team (
  one boolean primary key default true check (one),
  id text not null, schema int not null default 1, ttl_ms int not null, keep_ms bigint not null,
  version bigint not null default 0, last bigint not null default 0, rosters bigint not null default 1,
  admin text not null, admin_key text not null
);
create table swarm.host (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9-]{0,15}$'),
  pubkey text not null check (pubkey ~ '^[0-9a-f]{64}$'), mac text not null default '', cert text not null default '',
  token bytea not null unique, roster jsonb not null default '[]', rosters bigint not null, seen timestamptz
);
create table swarm.session (
  host text primary key, id text not null unique, beats bigint not null, beaten timestamptz not null
);
create table swarm.record (
  kind text not null, number bigint not null, session text not null, doc jsonb not null, primary key (kind, number)
);
create table swarm.mail (
  seq bigint generated always as identity, to_host text not null, kind text not null, id text not null, from_host text not null,
  doc text not null, sig text not null, expires timestamptz not null, primary key (to_host, kind, id, from_host)
);
create table swarm.invite (hash bytea primary key, until timestamptz not null);

-- The host whose token this is.
create function swarm.who(a jsonb) returns swarm.host language plpgsql stable security definer set search_path = swarm, pg_temp as $$
declare h swarm.host;
begin
  select * into h from host where token = sha256(decode(a->>'token', 'hex'));
  if not found then raise exception 'this host is not in the team' using errcode = 'SW001'; end if;
  return h;
end $$;

create function swarm.channel(token bytea) returns text language sql immutable as $$
  select 'swarm_' || left(encode(token, 'hex'), 40) $$;

create function swarm.seats() returns jsonb language sql stable security definer set search_path = swarm, pg_temp as $$
  select coalesce(jsonb_agg(jsonb_build_object('host', host, 'id', id, 'beats', beats)), '[]') from session $$;

create function swarm.table_of(t swarm.team) returns jsonb language sql stable security definer set search_path = swarm, pg_temp as $$
  select jsonb_build_object('version', t.version, 'last', t.last, 'seats', seats(),
    'records', coalesce((select jsonb_agg(jsonb_build_object('kind', r.kind, 'number', r.number, 'session', r.session, 'host', s.host, 'doc', r.doc))
      from record r join session s on s.id = r.session), '[]')) $$;

-- What the team is, for a host that has just connected.
create function swarm.hello(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a); t team;
begin
  select * into t from team;
  return jsonb_build_object('id', t.id, 'schema', t.schema, 'ttl_ms', t.ttl_ms, 'host', h.name, 'admin', t.admin, 'admin_key', t.admin_key,
    'channel', channel(h.token), 'postgres', current_setting('server_version'),
    'durable', current_setting('fsync') = 'on' and current_setting('synchronous_commit') in ('on', 'remote_apply', 'remote_write', 'local')
      and current_setting('full_page_writes') = 'on');
end $$;

-- The host's sign of life, with its roster where that changed; what is new comes back. A session whose row is gone does not come back:
-- a new one takes its place, or that of the host's own former one, if that has given no sign of life since.
create function swarm.beat(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a); t team; s text := a->>'session'; r bigint; ok boolean; n timestamptz := clock_timestamp(); old text := a#>>'{replaces,id}';
begin
  update session set beats = beats + 1, beaten = n where host = h.name and id = s;
  ok := found;
  if not ok and old is not null then
    perform 1 from team for update;
    delete from session where host = h.name and id = old and beats = (a#>>'{replaces,beats}')::bigint;
    if found then
      delete from record where session = old;
      update team set version = version + 1 returning version into r;
      perform pg_notify('swarm', 'v' || r);
    end if;
  end if;
  if not ok and (a->>'fresh')::boolean then
    insert into session values (h.name, s, 1, n) on conflict do nothing;
    ok := found;
  end if;
  if a ? 'roster' then
    if octet_length((a->'roster')::text) > 65536 then raise exception 'the roster is too large'; end if;
    update team set rosters = rosters + 1 returning rosters into r;
    update host set roster = a->'roster', rosters = r where name = h.name;
    perform pg_notify('swarm', 'r' || r);
  end if;
  update host set seen = n where name = h.name;
  with gone as (delete from mail where expires < n returning *)
  insert into mail(to_host, kind, id, from_host, doc, sig, expires)
    select from_host, 'back', id, to_host, 'it was not fetched in time', '', n + interval '30 days' from gone where kind = 'mail'
    on conflict do nothing;
  select * into t from team;
  return jsonb_build_object('ok', ok, 'version', t.version, 'rosters', t.rosters, 'seats', seats(),
    'mail', (select count(*) from mail where to_host = h.name),
    'ages', (select coalesce(jsonb_object_agg(name, (extract(epoch from n - seen) * 1000)::bigint), '{}') from host where seen is not null),
    'hosts', case when t.rosters > (a->>'rosters')::bigint then
      (select jsonb_agg(jsonb_build_object('name', name, 'pubkey', pubkey, 'mac', mac, 'cert', cert, 'roster', roster)) from host) end);
end $$;

create function swarm.snapshot(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a); t team;
begin
  select * into t from team;
  return table_of(t);
end $$;

-- One decision, taken whole or not at all, on the version it was made on. A host changes what is its own and what belongs to sessions
-- that are dead: those that gave no further sign of life than the one the caller has seen, and none for the whole time by this clock.
create function swarm.commit(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a); t team; s text := a->>'session'; n timestamptz; dead text[];
begin
  select * into t from team for update;
  n := clock_timestamp();
  if not exists (select 1 from session where host = h.name and id = s) then return jsonb_build_object('status', 'fenced'); end if;
  if t.version <> (a->>'version')::bigint then return jsonb_build_object('status', 'stale', 'table', table_of(t)); end if;
  select coalesce(array_agg(d.id), '{}') into dead from jsonb_to_recordset(a->'dead') as d(id text, beats bigint);
  -- A sign of life of the future is one from before the clock was set back: its time begins now.
  update session set beaten = n where id = any(dead) and beaten > n;
  if exists (select 1 from session x join jsonb_to_recordset(a->'dead') as d(id text, beats bigint) using (id)
      where x.beats <> d.beats or x.host = h.name or n - x.beaten < t.ttl_ms * interval '1 ms') then
    return jsonb_build_object('status', 'alive', 'table', table_of(t));
  end if;
  if (a->>'last')::bigint not between t.last and t.last + 1000 then raise exception 'a number out of turn'; end if;
  if exists (select 1 from record r join jsonb_to_recordset(a->'drops') as d(kind text, number bigint) using (kind, number)
      where r.session <> s and r.session <> all(dead)) then raise exception 'a record of another host'; end if;
  delete from session where id = any(dead);
  delete from record where session = any(dead);
  delete from record r using jsonb_to_recordset(a->'drops') as d(kind text, number bigint) where r.kind = d.kind and r.number = d.number;
  if exists (select 1 from jsonb_to_recordset(a->'puts') as d(kind text, number bigint, doc jsonb) left join record r using (kind, number)
      where coalesce(r.session <> s, d.number <= t.last) or d.number > (a->>'last')::bigint or d.kind not in ('lease', 'waiter')
        or octet_length(d.doc::text) > 65536) then raise exception 'a record of another host, or one out of bounds'; end if;
  insert into record select d.kind, d.number, s, d.doc from jsonb_to_recordset(a->'puts') as d(kind text, number bigint, doc jsonb)
    on conflict (kind, number) do update set doc = excluded.doc;
  if (select count(*) from record where session = s) > 500 then raise exception 'more than 500 leases of one host'; end if;
  update team set version = version + 1, last = greatest(last, (a->>'last')::bigint);
  perform pg_notify('swarm', 'v' || (t.version + 1));
  return jsonb_build_object('status', 'ok', 'version', t.version + 1);
end $$;

-- Takes mail in for other hosts. What is not taken is named with the reason; a repeated letter is passed over.
create function swarm.post(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a); d record; ok jsonb := '[]'; no jsonb := '[]'; other host; keep bigint; body text;
begin
  select keep_ms into keep from team;
  for d in select * from jsonb_to_recordset(a->'mail') as m("to" text, kind text, id text, doc text, sig text) loop
    select * into other from host where name = d."to";
    if not found then no := no || jsonb_build_object('to', d."to", 'id', d.id, 'why', 'there is no host of that name in the team'); continue; end if;
    if d.kind not in ('mail', 'receipt') or octet_length(d.doc) > 131072 or length(d.id) > 64 or length(d.sig) > 128 then raise exception 'a letter out of bounds'; end if;
    if (select count(*) from mail where to_host = other.name and from_host = h.name) >= 2000 then
      no := no || jsonb_build_object('to', d."to", 'id', d.id, 'why', 'full'); continue;
    end if;
    insert into mail(to_host, kind, id, from_host, doc, sig, expires)
      values (other.name, d.kind, d.id, h.name, d.doc, d.sig, clock_timestamp() + keep * interval '1 ms') on conflict do nothing;
    ok := ok || jsonb_build_object('to', d."to", 'id', d.id);
    if found then
      body := jsonb_build_object('from', h.name, 'kind', d.kind, 'id', d.id, 'doc', d.doc, 'sig', d.sig)::text;
      perform pg_notify(channel(other.token), case when octet_length(body) < 7000 then body else '' end);
    end if;
  end loop;
  return jsonb_build_object('ok', ok, 'no', no);
end $$;

-- A page of the caller's mail, not more of it than a slow line carries in time, and whether there is more.
create function swarm.fetch(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a); page jsonb; n int;
begin
  select count(*), coalesce(jsonb_agg(jsonb_build_object('from', from_host, 'kind', kind, 'id', id, 'doc', doc, 'sig', sig) order by seq)
      filter (where before < 262144), '[]') into n, page
    from (select y.*, sum(octet_length(doc)) over (order by seq) - octet_length(doc) as before from
      (select * from mail where to_host = h.name order by seq limit 100 offset greatest((a->>'skip')::int, 0)) y) x;
  return jsonb_build_object('mail', page, 'more', n = 100 or jsonb_array_length(page) < n);
end $$;

create function swarm.taken(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a);
begin
  delete from mail m using jsonb_to_recordset(a->'ids') as d("from" text, kind text, id text)
    where m.to_host = h.name and m.from_host = d."from" and m.kind = d.kind and m.id = d.id;
  return '{}';
end $$;

create function swarm.admin(a jsonb) returns swarm.host language plpgsql stable security definer set search_path = swarm, pg_temp as $$
declare h host := who(a);
begin
  if h.name <> (select t.admin from team t) then
    raise exception 'only % can do that: the team was made there', (select t.admin from team t) using errcode = 'SW003';
  end if;
  return h;
end $$;

create function swarm.invite(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := admin(a);
begin
  delete from invite where until < clock_timestamp();
  insert into invite values (decode(a->>'hash', 'hex'), clock_timestamp() + least((a->>'minutes')::int, 1440) * interval '1 minute');
  return '{}';
end $$;

-- Makes a host a member, once for each invitation. Whether its key is its own is for the host that invited it to say: `certify`.
create function swarm.join(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare t team; r bigint;
begin
  if exists (select 1 from host where name = a->>'name') then
    raise exception 'there is a host % in the team already', a->>'name' using errcode = 'SW002';
  end if;
  delete from invite where hash = decode(a->>'hash', 'hex') and until > clock_timestamp();
  if not found then raise exception 'this invitation is not valid: it was used, or its time is over' using errcode = 'SW004'; end if;
  if length(a->>'mac') > 128 then raise exception 'out of bounds'; end if;
  update team set rosters = rosters + 1 returning * into t;
  insert into host(name, pubkey, mac, token, rosters) values (a->>'name', a->>'pubkey', a->>'mac', decode(a->>'token_hash', 'hex'), t.rosters);
  perform pg_notify('swarm', 'r');
  return jsonb_build_object('id', t.id, 'admin', t.admin, 'admin_key', t.admin_key);
end $$;

create function swarm.certify(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := admin(a); r bigint;
begin
  if length(a->>'cert') > 128 then raise exception 'out of bounds'; end if;
  update team set rosters = rosters + 1 returning rosters into r;
  update host set cert = a->>'cert', mac = '', rosters = r where name = a->>'name';
  perform pg_notify('swarm', 'r');
  return '{}';
end $$;

-- Ends a host's membership: its token, its session, its leases and what is under way from and to it, all in this statement.
create function swarm.expel(gone text) returns void language plpgsql security definer set search_path = swarm, pg_temp as $$
declare n timestamptz := clock_timestamp();
begin
  perform 1 from team for update;
  delete from record where session in (select id from session where host = gone);
  delete from session where host = gone;
  with back as (delete from mail where to_host = gone returning *)
  insert into mail(to_host, kind, id, from_host, doc, sig, expires)
    select from_host, 'back', id, gone, 'that host left the team', '', n + interval '30 days' from back where kind = 'mail' on conflict do nothing;
  delete from mail where from_host = gone and kind <> 'back';
  delete from host where name = gone;
  update team set version = version + 1, rosters = rosters + 1;
  perform pg_notify('swarm', 'v');
  perform pg_notify('swarm', 'r');
end $$;

create function swarm.remove(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := admin(a);
begin
  if a->>'name' = h.name then raise exception 'this host made the team: it is the last to leave it (swarm team leave)' using errcode = 'SW003'; end if;
  if not exists (select 1 from host where name = a->>'name') then
    raise exception 'there is no host % in the team', a->>'name' using errcode = 'SW002';
  end if;
  perform expel(a->>'name');
  return '{}';
end $$;

create function swarm.leave(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := who(a);
begin
  if h.name = (select t.admin from team t) and (select count(*) from host) > 1 then
    raise exception 'this host made the team: remove the others first (swarm team hosts)' using errcode = 'SW003';
  end if;
  perform expel(h.name);
  return '{}';
end $$;

-- After the engine lost its latest records: all begin again, with numbers above every one that was ever given.
create function swarm.reset(a jsonb) returns jsonb language plpgsql security definer set search_path = swarm, pg_temp as $$
declare h host := admin(a);
begin
  perform 1 from team for update;
  delete from record;
  delete from session;
  update team set version = greatest(version, (a->>'version')::bigint) + 1000000, last = greatest(last, (a->>'last')::bigint) + 1000000;
  perform pg_notify('swarm', 'v');
  return '{}';
end $$;

-- One role for all hosts: it may call these functions and nothing else.
create role swarm_host login connection limit 100;
revoke all on schema public from public;
revoke all on all functions in schema swarm from public;
grant usage on schema swarm to swarm_host;
grant execute on function swarm.hello(jsonb), swarm.beat(jsonb), swarm.snapshot(jsonb), swarm.commit(jsonb), swarm.post(jsonb), swarm.fetch(jsonb),
  swarm.taken(jsonb), swarm.invite(jsonb), swarm.join(jsonb), swarm.certify(jsonb), swarm.remove(jsonb), swarm.leave(jsonb), swarm.reset(jsonb) to swarm_host;
do $$
declare f record;
begin
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect on database %I to swarm_host', current_database());
  -- All hosts are one role: none may end another's connection, or read what it listens to.
  for f in select oid::regprocedure as name from pg_proc
      where pronamespace = 'pg_catalog'::regnamespace and proname in ('pg_terminate_backend', 'pg_cancel_backend', 'pg_stat_get_activity',
        'pg_stat_get_backend_activity', 'pg_sleep', 'pg_sleep_for', 'pg_sleep_until', 'lo_create', 'lo_creat', 'lo_from_bytea') loop
    execute format('revoke all on function %s from public', f.name);
  end loop;
end $$;
