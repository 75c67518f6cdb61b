// SPDX-License-Identifier: GPL-2.0

//! The bridge that everything is measured on, with its ports.
//!
//! Frames come from "generator", the other end of the cable of the port "in". All other ports are
//! dummy devices "d1", "d2", ..., which count what they are given.

use std::{
    fmt, fs,
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{ensure, Context, Result};

pub const GENERATOR: &str = "generator";
pub const INGRESS: &str = "in";
/// The port that owns the destinations.
pub const OWNER: &str = "d1";
pub const BRIDGE: &str = "br0";
/// The IP address of [`Mac::destination`] 0. That of the generator is beside it.
pub const DESTINATION_IP: &str = "10.0.0.2";

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(u64);

impl Mac {
    pub const BROADCAST: Self = Self(0xffff_ffff_ffff);
    pub const MULTICAST: Self = Self(0x0100_5e01_0203);
    /// The first of those that nobody has.
    pub const NOBODY: Self = Self(0x02ff_0000_0001);

    /// One of those behind the ingress port.
    pub fn source(number: u32) -> Self {
        Self(0x0201_0000_0000 + u64::from(number))
    }

    /// One of those behind [`OWNER`].
    pub fn destination(number: u32) -> Self {
        Self(0x0202_0000_0000 + u64::from(number))
    }

    pub fn octets(self) -> [u8; 6] {
        let [_, _, octets @ ..] = self.0.to_be_bytes();
        octets
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.octets();
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

/// The bridge and all devices that are or may become its ports.
pub struct Hub {
    devices: Vec<String>,
    /// How many of them are its ports.
    ports: usize,
    /// Further ports, which get every copy.
    sniffers: Vec<String>,
}

impl Hub {
    /// A bridge in hub mode without ports, and devices for `ports` of them.
    pub fn new(ports: usize) -> Result<Self> {
        let (source, destination) = (Mac::source(0), Mac::destination(0));
        let mut commands = format!(
            "link add {BRIDGE} type bridge ageing_time 0 mcast_snooping 0\n\
             link set {BRIDGE} up\n\
             link add {GENERATOR} address {source} type veth peer name {INGRESS}\n\
             link set {GENERATOR} up\n\
             address add 10.0.0.1/24 dev {GENERATOR}\n\
             neighbour add {DESTINATION_IP} lladdr {destination} nud permanent dev {GENERATOR}\n\
             link set {INGRESS} up\n"
        );
        let mut devices = vec![INGRESS.to_owned()];
        for number in 1..ports {
            let device = format!("d{number}");
            commands += &format!("link add {device} type dummy\nlink set {device} up\n");
            devices.push(device);
        }
        ip(&commands)?;
        Ok(Self {
            devices,
            ports: 0,
            sniffers: Vec::new(),
        })
    }

    /// Makes so many further ports.
    pub fn add_sniffers(&mut self, count: usize) -> Result<()> {
        let mut commands = String::new();
        for number in 1..=count {
            let device = format!("s{number}");
            commands += &format!("link add {device} up master {BRIDGE} type dummy\n");
            self.sniffers.push(device);
        }
        ip(&commands)
    }

    pub fn devices(&self) -> &[String] {
        &self.devices
    }

    /// Makes the first `ports` devices its ports.
    pub fn set_ports(&mut self, ports: usize) -> Result<()> {
        let mut commands = String::new();
        for device in self.devices.iter().take(ports).skip(self.ports) {
            commands += &format!("link set {device} master {BRIDGE}\n");
        }
        for device in self.devices.iter().take(self.ports).skip(ports) {
            commands += &format!("link set {device} nomaster\n");
        }
        self.ports = ports;
        ip(&commands)
    }

    /// Whether frames for unknown destinations, multicast and broadcast are copied to ports at all.
    pub fn set_copies(&self, copied: bool) -> Result<()> {
        let ports = self.devices.iter().take(self.ports);
        for device in ports.chain(&self.sniffers) {
            for flag in ["unicast_flood", "multicast_flood", "broadcast_flood"] {
                set(device, &format!("brport/{flag}"), u32::from(copied))?;
            }
        }
        Ok(())
    }

    /// Frames that were given to each device.
    pub fn sent(&self) -> Result<Vec<u64>> {
        sent(&self.devices)
    }

    /// The same of further ports.
    pub fn sent_to_sniffers(&self) -> Result<Vec<u64>> {
        sent(&self.sniffers)
    }

    pub fn remove(self) -> Result<()> {
        // Else each port that goes is looked for in all of the FDB.
        set(BRIDGE, "bridge/flush", 1)?;
        let mut commands = format!("link del {GENERATOR}\nlink del {BRIDGE}\n");
        for device in self.devices.iter().skip(1).chain(&self.sniffers) {
            commands += &format!("link del {device}\n");
        }
        ip(&commands)
    }
}

fn sent(devices: &[String]) -> Result<Vec<u64>> {
    devices
        .iter()
        .map(|device| get(device, "statistics/tx_packets"))
        .collect()
}

/// Reads an attribute of a network device.
pub fn get(device: &str, attribute: &str) -> Result<u64> {
    let path = path(device, attribute);
    let text = fs::read_to_string(&path).context(path.clone())?;
    text.trim().parse().context(path)
}

/// Writes an attribute of a network device.
pub fn set(device: &str, attribute: &str, value: impl fmt::Display) -> Result<()> {
    let path = path(device, attribute);
    fs::write(&path, value.to_string()).context(path)
}

pub fn path(device: &str, attribute: &str) -> String {
    format!("/sys/class/net/{device}/{attribute}")
}

fn ip(commands: &str) -> Result<()> {
    run_with_input("ip", &["-batch", "-"], commands)
}

pub fn run_with_input(program: &str, arguments: &[&str], input: &str) -> Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .context(program.to_owned())?;
    child
        .stdin
        .take()
        .context("no standard input")?
        .write_all(input.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "{program}: {status}");
    Ok(())
}
