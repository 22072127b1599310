#!/usr/bin/env bash
# new-site.sh FOLDER URL sqlite|mariadb [SOCKET]: makes FOLDER/www, an installed WordPress with the plugin in it.
# Prints the path of the snapshot that MariaDB's data folder is to be restored from. For the end-to-end tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
# shellcheck source=wordpress.sh
. "$here/wordpress.sh"

made=$(snapshot "$3")
[[ -d $made && -x $cache/bin/php ]] || die "No WordPress for tests in $cache." "Run deploy/test.sh --only setup."
new_site "$@"
echo "$made"
