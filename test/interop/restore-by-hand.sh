#!/bin/sh
# Gets the documents out of a backup with sqlite3, unzip and sha256sum alone, and gunzip or zstd and age for a compressed
# or encrypted backup, as docs/format.md describes it.
#
#   restore-by-hand.sh [-a] [-i IDENTITY_FILE] BACKUP [TARGET_MICROS] > documents.ndjson
#
# BACKUP is a directory that holds a backup, or a ZIP of one. IDENTITY_FILE is an identity of age, for an encrypted one. TARGET_MICROS is the point in time to restore, in
# microseconds since 1970; without it everything is restored. Writes one line of JSON for each document that is not
# deleted, ordered by link: {"link":..,"version":..,"time":..,"body":{..}}; with -a one for each version that is left of
# any document, with its action.
set -eu
export LC_ALL=C

fail() {
  echo "restore-by-hand: $*" >&2
  exit 1
}

all=
identity=
while :; do
  case ${1-} in
    -a) all=yes && shift ;;
    -i) identity=${2-} && shift 2 ;;
    *) break ;;
  esac
done
[ $# -eq 1 ] || [ $# -eq 2 ] || fail "usage: restore-by-hand.sh [-a] [-i IDENTITY_FILE] BACKUP [TARGET_MICROS]"
backup=$1
target=${2-}
case $target in *[!0-9]*) fail "the target time must be a whole number of microseconds, not $target" ;; esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Decrypts a file to another.
decrypt() {
  [ -n "$identity" ] || fail "$backup is encrypted: name an identity file with -i"
  age -d -i "$identity" -o "$2" "$1" 2>"$work/age" || fail "${1##*/} cannot be decrypted: $(head -n 1 "$work/age")"
}

# 1. A ZIP holds the same files, at its top or in one folder. It may be encrypted as a whole.
directory=$backup
if [ -f "$backup" ]; then
  if [ "$(head -c 21 "$backup" | tr -d '\0')" = age-encryption.org/v1 ]; then
    decrypt "$backup" "$work/decrypted.zip"
    backup=$work/decrypted.zip
  fi
  mkdir "$work/unpacked"
  unzip -q "$backup" -d "$work/unpacked" || fail "$backup cannot be unpacked"
  directory=$work/unpacked
  if ! ls "$directory"/manifest-*.json >/dev/null 2>&1; then
    for folder in "$directory"/*/; do directory=${folder%/}; done
  fi
fi

# 2. The name of a manifest ends with the beginning of its own digest. The newest one was made last.
newest=-1
manifest=
for file in "$directory"/manifest-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]-*.json; do
  [ -f "$file" ] || continue
  digest=$(sha256sum <"$file" | cut -c 1-16)
  case $file in *-"$digest".json) ;; *) fail "${file##*/} does not agree with its name" ;; esac
  cp "$file" "$work/candidate.json"
  created=$(cd "$work" && sqlite3 -batch -bail :memory: "SELECT json_extract(readfile('candidate.json'), '\$.createTimeMicros')")
  # The names come in the order of their numbers, which decides between two of the same time.
  [ "$created" -ge "$newest" ] || continue
  newest=$created
  manifest=$file
  mv "$work/candidate.json" "$work/manifest.json"
done
[ -n "$manifest" ] || fail "there is no manifest in $backup"

sql() { (cd "$work" && sqlite3 -batch -bail "$@"); }
field() { sql :memory: "SELECT json_extract(readfile('manifest.json'), '\$.$1')"; }

case $(field formatVersion) in 1 | 2) ;; *) fail "${manifest##*/} has format $(field formatVersion); this script knows formats 1 and 2" ;; esac
if [ -n "$target" ]; then
  earliest=$(field window.earliestMicros)
  latest=$(field window.latestMicros)
  if [ "$target" -lt "$earliest" ] || [ "$target" -gt "$latest" ]; then
    fail "the backup can be restored to any time from $earliest to $latest, not to $target"
  fi
fi

# 3. Its segments in their order: digest and size of the file, then those of the database in it, and counts must be those
# of the manifest. The manifest has no digest of an encrypted database.
sql :memory: "SELECT json_extract(value, '\$.name'), json_extract(value, '\$.sha256'), json_extract(value, '\$.sizeBytes'),
  json_extract(value, '\$.records'), json_extract(value, '\$.prunes'),
  coalesce(json_extract(value, '\$.stored.sha256'), json_extract(value, '\$.sha256')),
  coalesce(json_extract(value, '\$.stored.sizeBytes'), json_extract(value, '\$.sizeBytes'))
  FROM json_each(readfile('manifest.json'), '\$.segments') ORDER BY key" >"$work/segments"
sql index.sqlite "
  CREATE TABLE log (time INTEGER PRIMARY KEY, link TEXT, version INTEGER, action TEXT, body TEXT);
  CREATE TABLE prune (link TEXT PRIMARY KEY, time INTEGER, version INTEGER);"
# Checks size and digest of a file.
check() {
  [ "$(wc -c <"$1" | tr -d ' ')" = "$2" ] || fail "$name has not $2 bytes"
  [ "$(sha256sum <"$1" | cut -c 1-64)" = "$3" ] || fail "$name does not agree with its digest"
}
while IFS='|' read -r name sha256 bytes records prunes stored_sha256 stored_bytes; do
  form=${name#*.sqlite}
  case $form in "" | .gz | .zst | .age | .gz.age | .zst.age) ;; *) fail "the manifest lists $name, which is no segment" ;; esac
  case $name in base-*.sqlite* | delta-*.sqlite*) ;; *) fail "the manifest lists $name, which is no segment" ;; esac
  case $name in *[!a-z0-9.-]*) fail "the manifest lists $name, which is no segment" ;; esac
  [ -f "$directory/$name" ] || fail "$name is missing"
  rm -f "$work/segment.sqlite" "$work/stored" "$work/compressed"
  cp "$directory/$name" "$work/stored"
  check "$work/stored" "$stored_bytes" "$stored_sha256"
  case $form in *.age) decrypt "$work/stored" "$work/compressed" ;; *) mv "$work/stored" "$work/compressed" ;; esac
  case $form in
    .gz*) gunzip -c <"$work/compressed" >"$work/segment.sqlite" || fail "$name cannot be decompressed" ;;
    .zst*) zstd -q -d -c <"$work/compressed" >"$work/segment.sqlite" || fail "$name cannot be decompressed" ;;
    *) mv "$work/compressed" "$work/segment.sqlite" ;;
  esac
  check "$work/segment.sqlite" "$bytes" "${sha256:-$(sha256sum <"$work/segment.sqlite" | cut -c 1-64)}"
  found=$(sql segment.sqlite "SELECT (SELECT count(*) FROM log) || '|' || (SELECT count(*) FROM prune)")
  [ "$found" = "$records|$prunes" ] || fail "$name holds $found rows and prunes, not $records|$prunes"
  # 4. Rows up to the target time; of prunes all, the later ones in place of the earlier ones.
  sql index.sqlite "
    ATTACH 'segment.sqlite' AS segment;
    INSERT INTO log SELECT time, link, version, action, body FROM segment.log WHERE time <= ${target:-9223372036854775807};
    INSERT OR REPLACE INTO prune SELECT link, time, version FROM segment.prune;"
done <"$work/segments"

# 5. A prune takes the versions of its link up to its own that were written before it.
sql index.sqlite "
  CREATE UNIQUE INDEX log_version ON log (link, version);
  DELETE FROM log WHERE EXISTS
    (SELECT 1 FROM prune WHERE prune.link = log.link AND log.version <= prune.version AND log.time < prune.time);"

# 6. What is left of a link at its greatest version is the document, unless that is a deletion.
if [ -n "$all" ]; then
  sql index.sqlite "
    SELECT json_object('link', link, 'version', version, 'time', time, 'action', action, 'body', json(body)) FROM log
    ORDER BY link, version;"
else
  sql index.sqlite "
    SELECT json_object('link', link, 'version', version, 'time', time, 'body', json(body)) FROM log
    WHERE action <> 'DELETE' AND NOT EXISTS (SELECT 1 FROM log later WHERE later.link = log.link AND later.version > log.version)
    ORDER BY link;"
fi
