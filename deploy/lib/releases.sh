# shellcheck shell=bash
# Older WordPress releases, as Debian keeps them alive: its own package of each Debian release, unpacked and never
# installed. To be sourced after packages.sh. The newest release comes by wordpress.sh.

# The releases, and the Debian release that keeps each.
declare -A wordpress_suites=([6.1]=bookworm [6.8]=trixie)

# The theme that belongs to each.
declare -A wordpress_themes=([6.1]=twentytwentythree [6.8]=twentytwentyfive)

# setup_wordpress_release 6.1|6.8: makes $cache/wordpress-RELEASE.
setup_wordpress_release() {
  local release=$1 suite=${wordpress_suites[$1]} made=$cache/wordpress-$1 work deb
  [[ ! -d $made ]] || return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || die "WordPress $release comes from Debian, and this machine has no apt-get."
  say "Fetching WordPress $release as Debian $suite has it"
  work=$(mktemp -d "$cache/tmp.XXXXXX")
  mkdir -p "$work"/{debs,root,tree}
  private_apt "$work/apt" "$suite"
  (cd "$work/debs" && APT_CONFIG=$work/apt/apt.conf apt-get -q download wordpress "wordpress-theme-${wordpress_themes[$release]}" \
    php-getid3 libjs-underscore libjs-lodash libjs-cropper) >>"$apt_log" 2>&1 || {
    rm -rf "$work"
    die "WordPress $release could not be fetched from Debian $suite." "See $apt_log"
  }
  for deb in "$work"/debs/*.deb; do
    dpkg-deb -x "$deb" "$work/root" || die "$(basename "$deb") could not be unpacked."
  done
  join_tree "$work/root" "$work/tree/core"
  grep -q "^\$wp_version = '$release" "$work/tree/core/wp-includes/version.php" || die "Debian $suite does not hold WordPress $release any more."
  mv "$work/tree" "$made"
  rm -rf "$work"
}

# private_apt FOLDER SUITE: apt's own view of another Debian release, by the mirrors that this machine uses, beside the
# machine's configuration and not in it. Used by APT_CONFIG=FOLDER/apt.conf.
private_apt() {
  local folder=$1 suite=$2 main security
  # The first mirror of each kind, whether written as deb lines or in deb822 form.
  main=$(mirror_of '/debian/?$' || true)
  security=$(mirror_of 'debian-security' || true)
  [[ -n $main ]] || die "This machine names no mirror of Debian." "WordPress's older releases come from there: put one into /etc/apt/sources.list."
  security=${security:-${main%/}-security}
  mkdir -p "$folder"/{lists/partial,cache/archives/partial,parts}
  cat >"$folder/sources.list" <<LIST
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $main $suite main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $security $suite-security main
LIST
  cat >"$folder/apt.conf" <<CONF
Dir::Etc::SourceList "$folder/sources.list";
Dir::Etc::SourceParts "$folder/parts";
Dir::State::Lists "$folder/lists";
Dir::Cache "$folder/cache";
APT::Architecture "all";
APT::Architectures { "all"; };
APT::Sandbox::User "";
Acquire::Languages "none";
CONF
  APT_CONFIG=$folder/apt.conf apt-get -q update >>"$apt_log" 2>&1 || true
}

mirror_of() {
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } |
    sed '/^[[:space:]]*#/d' | grep -oE 'https?://[^][:space:]]+' | grep -E -m1 "$1"
}

# join_tree ROOT DESTINATION: Debian's WordPress as one folder. What lies in other packages is linked by absolute paths,
# which here begin at ROOT; what the machine itself would have there (certificates) is left out.
join_tree() {
  local root=$1 tree=$2 link target
  cp -r "$root/usr/share/wordpress" "$tree"
  cp -r "$root/var/lib/wordpress/wp-content/themes" "$tree/wp-content/" 2>/dev/null || true
  find "$tree" -type l -print0 | while IFS= read -r -d '' link; do
    target=$(readlink "$link")
    case $target in
      /*) target=$root$target ;;
      # Relative ones were made for the place that they came from.
      *) target=$root/usr/share/wordpress${link#"$tree"} && target=$(dirname "$target")/$(readlink "$link") ;;
    esac
    rm "$link"
    [[ ! -e $target ]] || cp -rL "$target" "$link"
  done
  rm -f "$tree/wp-config.php" "$tree/.htaccess"
}
