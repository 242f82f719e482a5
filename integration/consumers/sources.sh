# Fetches source packages into /sources/PACKAGE: `sources.sh PACKAGE…`. A mirror may lack a part of one: then upstream's archive is
# taken without Debian's changes, or the package is missing. What was not as it should be is printed.
apt-get -qq update
mkdir -p /sources/fetched
for package in "$@"; do
    cd /sources/fetched
    if apt-get -qq source "$package" >/dev/null 2>&1; then
        mv "$package"-*/ "/sources/$package"
        continue
    fi
    # apt keeps what it has fetched and checked.
    archive=$(find . -name "${package}_*.orig.tar.*" ! -name '*.asc')
    if [ -n "$archive" ]; then
        mkdir "/sources/$package"
        tar -xf "$archive" --strip-components=1 -C "/sources/$package"
        echo "$package: upstream's archive, without Debian's changes"
    else
        echo "$package: the mirror does not have its source"
    fi
done
