//! The same test on ours and on the packaged kmod, compared.
#[test]
fn smoke() {
    use testkit::*;
    let root = TestRoot::new();
    root.add_module("kernel/a.ko", &ModuleBuilder::new("a").export("square", Crc::Section(1)).alias("x-*"));
    root.add_module("kernel/b.ko", &ModuleBuilder::new("b").needs("square", 1));
    eprintln!("{:?}", root.reference("depmod", &[]));
    eprintln!("{:?}", root.reference("depmod", &["-n"]));
    eprintln!("{:?}", root.reference("modprobe", &["b"]));
    eprintln!("{:?}", root.reference("modprobe", &["nope"]));
    eprintln!("{:?}", root.reference("modprobe", &["-D", "x-foo", "b"]));
    eprintln!("{:?}", root.ours("modprobe", &["-D", "x-foo", "b"]));
    eprintln!("{:?}", root.run(Side::Kmod30, "modprobe", &["-D", "x-foo", "b"]));
    eprintln!("{:?}", root.invoke(Side::Kmod34, "modinfo").dir("/lib").args(["a"]).run());
    for (k, v) in root.indexes() { eprintln!("{k} {}", v.len()); }
}
