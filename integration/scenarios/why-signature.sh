# Its bytes are not the signed ones: the signer and the key are named.
# tools: ours

for tool in insmod modprobe; do
    expect_error "  Its signature is not right: the file was changed after it was signed" \
        /sbin/$tool /refused/signature/dummy.ko
    grep -q "^    signer: .*, key [0-9A-F:]*$" err || fail "the signer is not named"
done
