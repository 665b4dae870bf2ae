#!/bin/sh
# A backup job as one writes it for cron: a full backup once a day, an incremental one every few minutes, and an
# upload of the files that are new.
#
#   xenon-cron.sh daily|incremental|restore
#
# HOST is the base URL, BACKUP_DIR the directory that the host backs up to, UPLOAD_DIR stands for the remote store:
# files are only ever added there, by name. WORK_DIR is for what is downloaded to be restored.
set -eu

management() {
  curl --silent --show-error --fail-with-body -X PATCH -H "Content-Type: application/json" -d "$1" "$HOST/core/management" || {
    echo >&2
    exit 1
  }
  echo
}

kind=com:vmware:xenon:services:common:ServiceHostManagementService

backup() {
  management "{\"kind\":\"$kind:BackupRequest\",\"destination\":\"file:$BACKUP_DIR\",\"backupType\":\"DIRECTORY\"}"
}

# The files of a backup by name: what is here and not there yet is new; what is there under the same name is the same.
upload() {
  ls "$BACKUP_DIR" | sort >"$WORK_DIR/here"
  ls "$UPLOAD_DIR" | sort >"$WORK_DIR/there"
  comm -23 "$WORK_DIR/here" "$WORK_DIR/there" | while read -r name; do
    cp "$BACKUP_DIR/$name" "$UPLOAD_DIR/$name"
    echo "uploaded $name"
  done
}

mkdir -p "$BACKUP_DIR" "$UPLOAD_DIR" "$WORK_DIR"
case $1 in
  daily)
    # A new day begins with an empty directory, and there too, unless what was uploaded is kept.
    rm -rf "$BACKUP_DIR"/*
    [ -n "${KEEP_UPLOADS-}" ] || rm -rf "$UPLOAD_DIR"/*
    backup
    upload
    ;;
  incremental)
    backup
    upload
    ;;
  restore)
    rm -rf "$WORK_DIR/download"
    cp -R "$UPLOAD_DIR" "$WORK_DIR/download"
    management "{\"kind\":\"$kind:RestoreRequest\",\"destination\":\"file:$WORK_DIR/download\"}"
    ;;
  *)
    echo "usage: xenon-cron.sh daily|incremental|restore" >&2
    exit 2
    ;;
esac
