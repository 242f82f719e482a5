# Compiles programs of Debian's source packages, and a client through cgo, in a root of Debian 13 that has our libkmod.h and
# libkmod.pc and no libkmod-dev. The programs are put into /built, each with a list of the library's functions that it needs.
sources=/sources
mkdir -p /built
if dpkg -s libkmod-dev >/dev/null 2>&1; then
    echo "Debian's libkmod-dev is installed" >&2
    exit 1
fi
programs="lspci dracut-install go-client"
cd "$sources/pciutils"
make -s -j2 PREFIX=/usr LIBKMOD=yes ZLIB=yes DNS=no HWDB=no SHARED=no STRIP= lspci
cp lspci /built/lspci
cd "$sources/dracut"
./configure --disable-documentation >/dev/null
make -s -j2 src/install/dracut-install
cp src/install/dracut-install /built/dracut-install
if [ -d "$sources/stress-ng" ]; then
    cd "$sources/stress-ng"
    # Unoptimised: it has hundreds of files, of which one matters here.
    make -s -j2 CFLAGS=-O0 >/dev/null
    cp stress-ng /built/stress-ng
    programs="$programs stress-ng"
fi
cd /go-client
GOCACHE=/tmp/go GOFLAGS=-mod=mod GOTOOLCHAIN=local go build -o /built/go-client .
for program in $programs; do
    readelf --dyn-syms --wide "/built/$program" | grep -o 'kmod_[a-z_]*@LIBKMOD_[0-9]*' | sort -u >"/built/$program.symbols"
    if [ ! -s "/built/$program.symbols" ]; then
        echo "$program does not need the library" >&2
        exit 1
    fi
done
