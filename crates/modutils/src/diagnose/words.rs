use bstr::ByteSlice;
pub fn shown(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .to_str_lossy()
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}
