#!/usr/bin/env bash
# Prepares the primary for its standby, once, before its first start. Commits wait for the standby from then on. The slot
# keeps the log for a standby that is away, up to the bound.
set -euo pipefail
echo "host replication holdfast all scram-sha-256" >>"$PGDATA/pg_hba.conf"
psql -v ON_ERROR_STOP=1 -U holdfast -d holdfast \
  -c "SELECT pg_create_physical_replication_slot('standby')" \
  -c "ALTER SYSTEM SET max_slot_wal_keep_size = '8GB'" \
  -c "ALTER SYSTEM SET synchronous_standby_names = '*'"
