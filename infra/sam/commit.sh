#!/bin/sh
# Makes the commit that events/ speak of in the repository of GIT_DIR, and prints its id. Everything that the
# id hangs on is fixed here, so that it is the same on every machine.
set -eu

folder="$(cd "$(dirname "$0")" && pwd)/commit"
index=$(mktemp -d)
trap 'rm -rf "$index"' EXIT
export GIT_WORK_TREE="$folder" GIT_INDEX_FILE="$index/index" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME='Mara Lindqvist' GIT_AUTHOR_EMAIL=mara@vivesphere.example
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
export GIT_AUTHOR_DATE='2026-11-23T11:14:58+0100' GIT_COMMITTER_DATE='2026-11-23T11:14:58+0100'

cd "$folder"
# What tools leave behind is no part of it, nor are the permissions of this checkout.
git -c core.autocrlf=false -c core.fileMode=false add -- . \
  ':(exclude,glob)**/__pycache__/**' ':(exclude,glob)**/.pytest_cache/**' ':(exclude).coverage'
tree=$(git write-tree)
printf 'Answer 401 for an expired token\n\nThe gateway retried on 500.\n' | git commit-tree "$tree"
