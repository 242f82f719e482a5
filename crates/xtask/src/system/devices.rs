//! `kmod device` in the guest, beside what the kernel shows in /sys and, for PCI, beside `lspci -k`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The buses of which a guest must have a device with a driver.
const BUSES: [&str; 7] = ["pci", "usb", "virtio", "hdaudio", "scsi", "platform", "serio"];

/// A device as one of the programs shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shown {
    driver: Option<String>,
    modules: BTreeSet<String>,
}

/// Compares the items of `kmod device --json`, the lines of `lspci -D -n -k`, and the lines `BUS NAME DRIVER` of /sys.
/// Returns a line that counts.
///
/// # Errors
/// When they do not agree, or a bus has no device with a driver.
pub(super) fn compare(items: &[String], lspci: &[String], sysfs: &[String]) -> Result<String> {
    let ours = ours(items)?;
    let mut drivers = BTreeMap::new();
    for line in sysfs {
        // A driver's name may have blanks.
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let [bus, name, driver] = words[..] else { bail!("a line of /sys: {line}") };
        drivers.insert((bus.to_owned(), name.to_owned()), driver.to_owned());
    }
    for (device, driver) in &drivers {
        let (bus, name) = device;
        match ours.get(device) {
            Some(shown) if shown.driver.as_ref() == Some(driver) => {}
            shown => bail!("{bus} {name} has the driver {driver}, kmod device shows {shown:?}"),
        }
    }
    for (device, shown) in &ours {
        if shown.driver.is_some() && !drivers.contains_key(device) {
            bail!("{device:?} has no driver, kmod device shows {shown:?}");
        }
    }
    if let Some(bus) = BUSES.iter().find(|bus| !drivers.keys().any(|(of, _)| of == *bus)) {
        bail!("no device of the bus {bus} has a driver");
    }
    let theirs = theirs(lspci)?;
    let of_pci: BTreeMap<String, Shown> = ours
        .iter()
        .filter(|((bus, _), _)| bus == "pci")
        .map(|((_, name), shown)| (name.clone(), shown.clone()))
        .collect();
    for (slot, shown) in &theirs {
        if of_pci.get(slot) != Some(shown) {
            bail!("lspci shows {slot} with {shown:?}, kmod device with {:?}", of_pci.get(slot));
        }
    }
    if theirs.len() != of_pci.len() || theirs.is_empty() {
        bail!("lspci shows {} devices, kmod device {}", theirs.len(), of_pci.len());
    }
    Ok(format!(
        "= kmod device: {} devices with a driver as in /sys, {} PCI devices as lspci -k shows them",
        drivers.len(),
        theirs.len()
    ))
}

/// The devices by bus and name.
fn ours(items: &[String]) -> Result<BTreeMap<(String, String), Shown>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let device = |item: &String| {
        let item = item.trim_end().trim_end_matches(',');
        let item: Value = serde_json::from_str(item).with_context(|| item.to_owned())?;
        let names = item["modules"].as_array().context("no modules")?.iter();
        let modules = names.filter_map(|module| text(&module["name"])).collect();
        let key = (text(&item["bus"]).context("no bus")?, text(&item["name"]).context("no name")?);
        Ok((key, Shown { driver: text(&item["driver"]), modules }))
    };
    items.iter().map(device).collect()
}

/// The devices by slot.
fn theirs(lines: &[String]) -> Result<BTreeMap<String, Shown>> {
    let mut devices = BTreeMap::new();
    let mut slot = String::new();
    for line in lines {
        if let Some(driver) = line.trim_start().strip_prefix("Kernel driver in use: ") {
            let device: &mut Shown = devices.get_mut(&slot).context("a driver of no device")?;
            device.driver = Some(driver.trim().to_owned());
        } else if let Some(modules) = line.trim_start().strip_prefix("Kernel modules: ") {
            let device = devices.get_mut(&slot).context("modules of no device")?;
            device.modules = modules.trim().split(", ").map(str::to_owned).collect();
        } else if line.contains(':') && !line.starts_with([' ', '\t']) {
            slot = line.split(' ').next().unwrap_or_default().to_owned();
            devices.insert(slot.clone(), Shown::default());
        }
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_differs_is_an_error() {
        let item = |bus: &str, name: &str, driver: &str, modules: &str| {
            format!("{{\"bus\":\"{bus}\",\"name\":\"{name}\",\"driver\":{driver},\"modules\":[{modules}]}}")
        };
        let mut items = vec![item("pci", "0000:00:01.0", "\"nvme\"", "{\"name\":\"nvme\"}") + ","];
        let mut sysfs = vec!["pci 0000:00:01.0 nvme".to_owned()];
        for bus in &BUSES[1..] {
            items.push(item(bus, "a", "\"d\"", ""));
            sysfs.push(format!("{bus} a d"));
        }
        let lspci = lines(
            "0000:00:01.0 0108: 1b36:0010\n\tSubsystem: 1af4:1100\n\tKernel driver in use: nvme\n\tKernel modules: nvme",
        );
        assert!(compare(&items, &lspci, &sysfs).is_ok());
        assert!(compare(&items, &lspci[..3], &sysfs).is_err());
        assert!(compare(&items, &lspci, &sysfs[..3]).is_err());
        assert!(compare(&items[1..], &lspci, &sysfs).is_err());
        items[0] = item("pci", "0000:00:01.0", "null", "{\"name\":\"nvme\"}");
        assert!(compare(&items, &lspci, &sysfs).is_err());
    }
}
