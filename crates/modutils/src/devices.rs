//! The devices of the running machine, with the drivers that are bound to them.
//!
//! `/sys/bus` lists the devices of each bus (`Documentation/driver-api/driver-model/bus.rst` of the kernel); their
//! modaliases lead to modules by [`Context::lookup`](crate::Context::lookup).

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use bstr::BString;

use crate::{Error, ModuleName, Result, Root, config::read};

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// Its bus: `pci`, `usb`, `virtio`.
    pub bus: BString,
    /// Its name on the bus: `0000:00:03.0`.
    pub name: BString,
    /// Its directory below `/sys/bus`.
    pub path: PathBuf,
    /// What modules are searched by; `None` where the bus has no modaliases.
    pub modalias: Option<BString>,
    /// The driver that is bound to it.
    pub driver: Option<BString>,
    /// The module of that driver; `None` where it is part of the kernel, or no driver is bound.
    pub driver_module: Option<ModuleName>,
}

/// The devices of all buses, by bus and name. A device that is unplugged meanwhile is skipped.
///
/// # Errors
/// When `/sys/bus` cannot be read.
pub fn devices(root: &Root) -> Result<Vec<Device>> {
    let buses = root.system("/sys/bus");
    let mut found = Vec::new();
    for bus in std::fs::read_dir(&buses).map_err(Error::io("read", &buses))?.flatten() {
        // A bus without devices may lack the directory.
        let Ok(devices) = std::fs::read_dir(bus.path().join("devices")) else { continue };
        let name = bus.file_name();
        found.extend(devices.flatten().map(|device| Device::read(&name, &device.path())));
    }
    found.sort_by(|one, other| (&one.bus, &one.name).cmp(&(&other.bus, &other.name)));
    Ok(found)
}

impl Device {
    fn read(bus: &OsStr, path: &Path) -> Self {
        let modalias = read(&path.join("modalias")).ok();
        let modalias = modalias.map(|text| BString::from(text.trim_ascii())).filter(|text| !text.is_empty());
        let driver = path.join("driver");
        Self {
            bus: bus.as_bytes().into(),
            name: path.file_name().unwrap_or_default().as_bytes().into(),
            path: path.to_owned(),
            modalias,
            driver: target_name(&driver),
            driver_module: target_name(&driver.join("module")).map(|name| ModuleName::new(&name)),
        }
    }
}

/// The last part of a link's target.
fn target_name(link: &Path) -> Option<BString> {
    let target = std::fs::read_link(link).ok()?;
    Some(target.file_name()?.as_bytes().into())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn devices_have_bus_driver_and_module() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path().join("sys");
        let device = sys.join("devices/pci0/0000:00:03.0");
        let driver = sys.join("bus/pci/drivers/e1000");
        for directory in [&device, &driver, &sys.join("bus/pci/devices"), &sys.join("bus/empty")] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(device.join("modalias"), "pci:v00008086d0000100E\n").unwrap();
        symlink("../../../devices/pci0/0000:00:03.0", sys.join("bus/pci/devices/0000:00:03.0")).unwrap();
        symlink("../../../bus/pci/drivers/e1000", device.join("driver")).unwrap();
        symlink("../../../../module/e1000", driver.join("module")).unwrap();
        fs::create_dir_all(sys.join("bus/platform/devices/rtc")).unwrap();
        let found = devices(&Root::default().with_system(root.path())).unwrap();
        let [pci, platform] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((pci.bus.to_string(), pci.name.to_string()), ("pci".into(), "0000:00:03.0".into()));
        assert_eq!(pci.modalias.as_deref(), Some(&b"pci:v00008086d0000100E".to_vec()));
        assert_eq!(pci.driver.as_deref(), Some(&b"e1000".to_vec()));
        assert_eq!(pci.driver_module, Some(ModuleName::new("e1000")));
        assert_eq!(
            (platform.name.to_string(), &platform.driver, &platform.modalias),
            ("rtc".into(), &None, &None)
        );
    }

    #[test]
    fn without_sys_the_devices_are_unknown() {
        let root = tempfile::tempdir().unwrap();
        assert!(devices(&Root::default().with_system(root.path())).unwrap_err().is_not_found());
    }
}
