// SPDX-License-Identifier: GPL-2.0

//! `maclearn doctor`: what is known to go wrong, whether it is so here, and a command that helps.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs, io,
};

use maclearn_family::{
    Ageing, Attributes, BridgeAttributes, EntryAttributes, FdbOffload, Mac, PortAttributes,
    StatisticsAttributes, UnknownUnicast, operation,
};

use super::{
    Context, complete,
    mirror::{self, Obstacle},
    statistics, summary,
};
use crate::{
    devices::Names,
    failure::Failure,
    firewall::{self, Fate, Frames, Suspect, Untold},
    grammar::NAME,
    kernel,
    output::{Item, Output, Paint, Record},
    route::{self, Route},
    rules::{FILE, Rules},
};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weight {
    /// Frames are lost, or nothing is spared.
    Problem,
    /// It may be meant so.
    Hint,
}

/// Something that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Finding {
    weight: Weight,
    what: String,
    /// A command that helps.
    helps: Option<String>,
}

impl Finding {
    fn problem(what: impl Into<String>, helps: Option<String>) -> Self {
        Self {
            weight: Weight::Problem,
            what: what.into(),
            helps,
        }
    }

    fn hint(what: impl Into<String>, helps: Option<String>) -> Self {
        Self {
            weight: Weight::Hint,
            what: what.into(),
            helps,
        }
    }

    fn record(&self) -> Record {
        let (word, paint) = match self.weight {
            Weight::Problem => ("problem", Paint::Bad),
            Weight::Hint => ("hint", Paint::Plain),
        };
        let mut record = Record::new();
        record.title("weight", Item::Word(word.into(), paint));
        record.title("what", Item::word(self.what.clone()));
        if let Some(command) = &self.helps {
            record.hidden("helps", Item::word(command.clone()));
        }
        record
    }
}

/// A bridge and all that is known of it.
struct Patient<'a> {
    bridge: &'a BridgeAttributes,
    device: route::Bridge,
    ports: Vec<Port<'a>>,
    host: Option<mirror::Obstacle>,
    names: &'a Names,
}

/// A port as maclearn and as the bridge have it.
struct Port<'a> {
    settings: &'a PortAttributes,
    device: Option<&'a route::Port>,
    counted: Option<&'a StatisticsAttributes>,
}

impl Port<'_> {
    fn index(&self) -> u32 {
        self.settings.ifindex.unwrap_or_default()
    }

    fn is_enabled(&self) -> bool {
        self.settings.enabled == Some(true)
    }

    /// Whether something was learned there.
    fn has_spoken(&self) -> bool {
        let counted = self.counted.and_then(|counted| counted.learned);
        self.settings.n_macs > Some(0) || counted > Some(0)
    }
}

/// Looks at everything.
pub fn show(context: &mut Context) -> Result<(), Failure> {
    let client = &mut context.client;
    let mut route = Route::open()?;
    let bridges = client.list(&operation::BRIDGE_GET, &BridgeAttributes::default())?;
    let settings = client.list(&operation::PORT_GET, &PortAttributes::default())?;
    let devices = route.ports()?;
    let devices: HashMap<_, _> = devices.iter().map(|port| (port.index, port)).collect();
    let counted = statistics::all(client)?;
    let names = Names::all()?;
    let host = mirror::obstacle_of_host();
    let mut findings = Vec::new();
    findings.extend(wrong_file());
    findings.extend(not_installed(Build::running(), Build::installed()));
    let mut owners = Owners::default();
    let mut calling = Calling::default();
    let calls_all = |what| kernel::switch(&format!("/proc/sys/net/bridge/bridge-nf-call-{what}"));
    let (all_ip, all_ip6) = (calls_all("iptables"), calls_all("ip6tables"));
    for bridge in &bridges {
        let Some(index) = bridge.ifindex else {
            continue;
        };
        let ports = settings.iter().filter(|port| port.bridge == Some(index));
        let ports = ports.map(|settings| Port {
            settings,
            device: settings
                .ifindex
                .and_then(|index| devices.get(&index).copied()),
            counted: settings.ifindex.and_then(|index| counted.get(&index)),
        });
        let Some(device) = route.bridge(index)? else {
            continue;
        };
        owners.filters.insert(index, device.filters_vlans);
        let patient = Patient {
            bridge,
            device,
            ports: ports.collect(),
            host,
            names: &names,
        };
        if patient.any_enabled() && (all_ip || device.calls_iptables) {
            calling.ip.insert(patient.name());
        }
        if patient.any_enabled() && (all_ip6 || device.calls_ip6tables) {
            calling.ip6.insert(patient.name());
        }
        findings.append(&mut patient.examine());
    }
    let dump = client.dump(
        &operation::ENTRY_GET,
        &EntryAttributes::default(),
        |entry| {
            owners.note(&entry);
            Ok::<_, Failure>(())
        },
    )?;
    findings.append(&mut owners.findings(&names));
    let enabled = settings.iter().filter(|port| port.enabled == Some(true));
    let tracked: HashSet<_> = enabled.filter_map(|port| port.bridge).collect();
    if !tracked.is_empty() {
        let ports = settings
            .iter()
            .filter(|port| port.bridge.is_some_and(|bridge| tracked.contains(&bridge)));
        let devices = ports
            .filter_map(|port| port.ifindex)
            .chain(tracked.iter().copied());
        let devices = devices.map(|index| names.get(index).into_owned()).collect();
        findings.append(&mut firewall(&devices, &calling)?);
    }
    print(&mut context.output, &findings)?;
    complete(dump)
}

/// What may be the reason that the module is not there.
pub fn without(output: &mut Output) -> Result<(), Failure> {
    let release = kernel::release()?;
    let sources = names_in("/usr/src").into_iter();
    let mut others = names_in("/lib/modules");
    others.retain(|other| *other != release && has_module(other));
    let absent = Absent {
        is_installed: has_module(&release),
        others,
        built_of: sources
            .filter_map(|name| Some(name.strip_prefix("maclearn-")?.to_string()))
            .next_back(),
        only_signed: kernel::takes_only_signed(),
        is_signed: kernel::installed("sig_id").is_some_and(|id| !id.is_empty()),
        refused: kernel::refused(),
    };
    let mut findings = absent.findings(&release);
    findings.extend(wrong_file());
    print(output, &findings)
}

/// What is in a folder, in order.
fn names_in(folder: &str) -> Vec<String> {
    let found = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = found.map(|found| found.file_name().to_string_lossy().into_owned());
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether there is a module for the kernel of that release.
fn has_module(release: &str) -> bool {
    let list =
        fs::read_to_string(format!("/lib/modules/{release}/modules.dep")).unwrap_or_default();
    list.lines().any(|line| {
        let file = line.split(':').next().unwrap_or_default();
        file.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("maclearn.ko"))
    })
}

/// The series of Linux that the module is built for (`BUILD_EXCLUSIVE_KERNEL` of DKMS).
const SERIES: &[&str] = &["6.12", "7.2", "7.3"];

fn is_supported(release: &str) -> bool {
    let mut rests = SERIES
        .iter()
        .filter_map(|series| release.strip_prefix(series));
    rests.any(|rest| rest.starts_with(['.', '-']))
}

/// What is wrong in the file that the service reads, if there is one.
fn wrong_file() -> Option<Finding> {
    match fs::File::open(FILE) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Some(not_looked_at(FILE));
        }
        other => other.ok()?,
    };
    Rules::read(FILE).err().map(wrong_settings)
}

fn wrong_settings(failure: Failure) -> Finding {
    let text = failure.to_string();
    let text = text.trim_start_matches("Error: ").trim_end_matches('.');
    Finding::problem(
        format!(
            "{text}: the service that gives settings does not start with that; one that runs keeps what the file \
             said before"
        ),
        Some(format!(
            "editor {FILE}; maclearn apply {FILE} check && systemctl reload-or-restart maclearn"
        )),
    )
}

/// What is known where the module is not loaded.
#[derive(Clone, Default)]
struct Absent {
    /// There is one for this kernel.
    is_installed: bool,
    /// The other kernels that there is one for.
    others: Vec<String>,
    /// The version that DKMS builds, if it has the source.
    built_of: Option<String>,
    /// The kernel takes only what is signed.
    only_signed: bool,
    is_signed: bool,
    /// What the kernel's log says of a module that was not taken.
    refused: Option<String>,
}

impl Absent {
    fn findings(&self, release: &str) -> Vec<Finding> {
        let mut findings = vec![match self.is_installed {
            true => Finding::problem("the module is not loaded", Some("modprobe maclearn".into())),
            false => self.missing(release),
        }];
        if let Some(text) = &self.refused {
            findings.push(Finding::problem(
                format!("the kernel's log says of a module: {text}"),
                Some(match text.starts_with(NAME) {
                    true => format!("modinfo maclearn; {}", self.build_again(release)),
                    false => self.sign(release),
                }),
            ));
        }
        if self.only_signed && self.is_installed && !self.is_signed {
            findings.push(Finding::problem(
                "this kernel loads only modules that are signed, and the one that is installed is not",
                Some(self.sign(release)),
            ));
        } else if self.only_signed {
            findings.push(Finding::hint(
                "this kernel loads only modules that are signed with a key that it knows",
                Some("modprobe maclearn; dmesg | tail; mokutil --list-enrolled".into()),
            ));
        }
        findings
    }

    /// There is none for this kernel.
    fn missing(&self, release: &str) -> Finding {
        let others = self.others.join(", ");
        let or_boot = match others.is_empty() {
            true => String::new(),
            false => format!(". Or boot a kernel that has one: {others}"),
        };
        if !is_supported(release) {
            let mut what = format!(
                "this kernel, {release}, is not supported yet: the module is for Linux {}. Boot \
                 one of these",
                SERIES.join(", ")
            );
            if others.is_empty() {
                let images = SERIES
                    .iter()
                    .map(|series| format!(" 'linux-image-{series}.*'"));
                let helps = format!("apt list{}", images.collect::<String>());
                return Finding::problem(what, Some(helps));
            }
            what += &format!(", such as one that has it: {others}");
            return Finding::problem(what, None);
        }
        match &self.built_of {
            Some(version) => Finding::problem(
                format!("the module was not built for this kernel, {release}{or_boot}"),
                Some(format!(
                    "apt install linux-headers-{release}; dkms install maclearn/{} -k {release}",
                    quoted(version)
                )),
            ),
            None => Finding::problem(
                format!(
                    "there is no module for this kernel, {release}: make its package where the \
                     source of maclearn is, and install that here{or_boot}"
                ),
                Some(format!(
                    "make deb KERNELS={release}; apt install ./maclearn-modules-{release}_*.deb"
                )),
            ),
        }
    }

    /// What builds the module that is there once more. DKMS leaves alone what it has installed.
    fn build_again(&self, release: &str) -> String {
        match &self.built_of {
            Some(version) => {
                let what = format!("--force maclearn/{} -k {release}", quoted(version));
                format!("dkms build {what} && dkms install {what}")
            }
            None => format!(
                "make deb KERNELS={release}; \
                 apt install --reinstall ./maclearn-modules-{release}_*.deb"
            ),
        }
    }

    /// What makes it one that is signed, with a key that the kernel knows after the next boot.
    fn sign(&self, release: &str) -> String {
        let again = self.build_again(release);
        match (self.is_signed, &self.built_of) {
            (true, Some(_)) => "mokutil --import /var/lib/dkms/mok.pub".to_string(),
            (true, None) => "mokutil --import FOLDER/MOK.der".to_string(),
            (false, Some(_)) => format!("{again} && mokutil --import /var/lib/dkms/mok.pub"),
            (false, None) => {
                format!("MACLEARN_SIGN=FOLDER {again}; mokutil --import FOLDER/MOK.der")
            }
        }
    }
}

/// A version, and what it was built from.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Build(Option<String>, Option<String>);

impl Build {
    fn running() -> Self {
        Self(kernel::running("version"), kernel::running("srcversion"))
    }

    fn installed() -> Self {
        Self(
            kernel::installed("version"),
            kernel::installed("srcversion"),
        )
    }

    fn text(&self) -> String {
        let parts = [&self.0, &self.1].into_iter().flatten();
        parts.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// The module that runs is not the one that is installed, if there is one.
fn not_installed(running: Build, installed: Build) -> Option<Finding> {
    let is_other = installed.0.is_some() && running != installed;
    is_other.then(|| {
        Finding::hint(
            format!(
                "the module that is installed, {}, is not the one that runs, {}",
                installed.text(),
                running.text()
            ),
            Some("maclearn reload".into()),
        )
    })
}

/// What drops frames that pass a bridge, one of whose devices is of these.
fn firewall(devices: &HashSet<String>, calling: &Calling) -> Result<Vec<Finding>, Failure> {
    let is_meant = |name: &str| match name.strip_suffix('*') {
        Some(begin) => devices.iter().any(|device| device.starts_with(begin)),
        None => devices.contains(name),
    };
    let suspects = firewall::suspects(is_meant)?;
    let Some(mut suspects) = suspects else {
        return Ok(vec![not_looked_at("what firewalls drop")]);
    };
    let calls_any = !calling.ip.is_empty() || !calling.ip6.is_empty();
    let (mut old, untold) = firewall::old_suspects(calls_any);
    suspects.append(&mut old);
    let untold = untold.iter().filter_map(|table| silence(table, calling));
    Ok(suspected(&suspects, calling)
        .into_iter()
        .chain(untold)
        .collect())
}

/// What another user has to look at.
fn not_looked_at(what: &str) -> Finding {
    Finding::hint(
        format!("{what} was not looked at: only root may"),
        Some("maclearn doctor".into()),
    )
}

/// The bridges whose packets between ports pass iptables, by their names.
#[derive(Default)]
struct Calling {
    ip: BTreeSet<String>,
    ip6: BTreeSet<String>,
}

impl Calling {
    /// What is said of those that pass a chain of this family, if any do.
    fn pass(&self, family: &str) -> Option<String> {
        let (bridges, command) = match family {
            "ip" | "iptables-legacy" => (self.ip.clone(), "iptables"),
            "ip6" | "ip6tables-legacy" => (self.ip6.clone(), "ip6tables"),
            _ if self.ip.is_empty() => (self.ip6.clone(), "ip6tables"),
            _ => (&self.ip | &self.ip6, "iptables"),
        };
        (!bridges.is_empty()).then(|| {
            let bridges = some(&bridges);
            format!("packets between ports of {bridges} pass {command} (bridge-nf-call-{command})")
        })
    }
}

/// Names, one after another.
fn some(names: &BTreeSet<String>) -> String {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    names.join(", ")
}

/// Of chains that drop something, or may, those that frames pass.
fn suspected(suspects: &[Suspect], calling: &Calling) -> Vec<Finding> {
    let found = suspects.iter();
    found
        .filter_map(|suspect| suspicion(suspect, calling))
        .collect()
}

fn suspicion(suspect: &Suspect, calling: &Calling) -> Option<Finding> {
    let Suspect {
        family,
        table,
        chain,
        frames,
        fate,
    } = suspect;
    let place = format!("{family} {table} {chain}");
    let frames = match frames {
        Frames::Entering => "frames that enter a bridge".to_string(),
        Frames::ForHost => "frames for this host".to_string(),
        Frames::Between => "frames between ports".to_string(),
        Frames::FromHost => "frames from this host".to_string(),
        Frames::Leaving => "frames that leave a bridge".to_string(),
        Frames::In(devices) => format!("frames that come in at {}", some(devices)),
        Frames::Out(devices) => format!("frames that leave through {}", some(devices)),
        Frames::Iptables => {
            let pass = calling.pass(family)?;
            let drops = match fate {
                Fate::Unknown(inner, what) => {
                    let text = format!(
                        "{pass}, and what the chain {place} does there is not known: {what} in {inner}"
                    );
                    return Some(Finding::hint(text, Some(show_chain(suspect))));
                }
                Fate::DropsRest => "drops them, but for what a rule accepts",
                Fate::DropsSome => "drops some",
            };
            let text = format!(
                "{pass}, and the chain {place} {drops}. The firewalls of Proxmox VE, Docker and Kubernetes work \
                 so: change a rule, and leave that on"
            );
            return Some(Finding::hint(text, Some(show_chain(suspect))));
        }
    };
    let mut text = match fate {
        Fate::DropsRest => format!("the chain {place} drops {frames}, but for what a rule accepts"),
        Fate::DropsSome => format!("the chain {place} drops some {frames}"),
        Fate::Unknown(inner, what) => {
            format!("what the chain {place} does with {frames} is not known: {what} in {inner}")
        }
    };
    if !matches!(suspect.frames, Frames::In(_) | Frames::Out(_)) {
        text += "; all bridges pass it";
    }
    Some(Finding::hint(text, Some(show_chain(suspect))))
}

/// A table of the older ones that is there, and whose command tells nothing of it, if frames pass
/// it.
fn silence(untold: &Untold, calling: &Calling) -> Option<Finding> {
    let Untold {
        command,
        table,
        why,
    } = untold;
    let (text, show) = if command.starts_with("ebtables") {
        let text = format!("what the table {command} {table} does with frames of all bridges");
        (text, "-L")
    } else {
        let pass = calling.pass(command)?;
        let text = format!("{pass}, and what the table {command} {table} does there");
        (text, "-S")
    };
    Some(Finding::hint(
        format!("{text} is not known: {why}"),
        Some(format!("{command} -t {table} {show}")),
    ))
}

/// A command that shows the chain, or the one that is not understood.
fn show_chain(suspect: &Suspect) -> String {
    let Suspect { family, table, .. } = suspect;
    let chain = match &suspect.fate {
        Fate::Unknown(inner, _) => inner,
        _ => &suspect.chain,
    };
    if family.starts_with("ebtables") {
        format!("{family} -t {table} -L {}", quoted(chain))
    } else if family.ends_with("-legacy") {
        format!("{family} -t {table} -S {}", quoted(chain))
    } else if !is_plain(table) || !is_plain(chain) {
        // nft itself takes them apart.
        "nft list ruleset".to_string()
    } else if chain.starts_with("__") {
        // It has no name of its own.
        format!("nft list table {family} {table}")
    } else {
        format!("nft list chain {family} {table} {chain}")
    }
}

fn print(output: &mut Output, findings: &[Finding]) -> Result<(), Failure> {
    if findings.is_empty() && !output.is_json() {
        return output.raw("Nothing was found.\n");
    }
    let is_json = output.is_json();
    output.list(|emit| {
        for finding in findings {
            emit(&finding.record())?;
            if let Some(command) = finding.helps.as_ref().filter(|_| !is_json) {
                let mut line = Record::new();
                line.title("helps", Item::word(format!("# {command}")));
                emit(&line.indented())?;
            }
        }
        Ok(())
    })
}

impl Patient<'_> {
    fn examine(&self) -> Vec<Finding> {
        if self.ports.is_empty() {
            return Vec::new();
        }
        if self.device.passes_all() {
            if !self.is_hub() && !self.any_enabled() {
                return Vec::new();
            }
            let name = self.name();
            let what = match self.is_hub() {
                true => format!("every port of {name} gets every copy"),
                false => format!("nothing is suppressed at {name}"),
            };
            let what = format!("{what}, since it has mst_enabled and filters VLANs");
            let helps = format!("ip -d link show dev {}", self.name());
            return vec![Finding::problem(what, Some(helps))];
        }
        let mut findings = Vec::new();
        findings.extend(self.nothing_enabled());
        findings.extend(self.some_left_out());
        findings.extend(self.offload_off());
        findings.extend(self.ageing());
        for port in &self.ports {
            findings.extend(self.failing_open(port));
            findings.extend(self.limit_reached(port));
            findings.extend(self.keeps_back(port));
            findings.extend(self.unknown(port));
            findings.extend(self.not_learning(port));
            findings.extend(self.shut(port));
            findings.extend(self.silent(port));
        }
        findings
    }

    fn name(&self) -> String {
        quoted(&self.names.get(self.bridge.ifindex.unwrap_or_default()))
    }

    fn port_name(&self, port: &Port<'_>) -> String {
        quoted(&self.names.get(port.index()))
    }

    fn any_enabled(&self) -> bool {
        self.ports.iter().any(Port::is_enabled)
    }

    /// A hub, to which the MACs can be offloaded, since it learns nothing.
    fn is_hub(&self) -> bool {
        self.device.ageing_time == 0
    }

    /// Whether what nobody suppresses goes to every port.
    fn learns_nothing(&self) -> bool {
        let learns = |port: &Port<'_>| port.device.is_none_or(|device| device.learns);
        self.is_hub() || !self.ports.iter().any(learns)
    }

    /// With two ports there is no copy that would be spared.
    fn nothing_enabled(&self) -> Option<Finding> {
        let makes_copies = self.learns_nothing() && self.ports.len() > 2;
        (makes_copies && !self.any_enabled()).then(|| {
            Finding::problem(
                format!(
                    "no port of {} is enabled: every port gets every copy. Enable each but a \
                     sniffer's",
                    self.name()
                ),
                Some("maclearn port set dev PORT enabled on".to_string()),
            )
        })
    }

    fn has_setting(&self, offload: FdbOffload) -> bool {
        self.bridge.fdb_offload == Some(offload)
    }

    /// What keeps maclearn from mirroring to ports that are not enabled.
    fn obstacle(&self) -> Option<Obstacle> {
        let ports = self.ports.iter().map(|port| (port.settings, port.device));
        mirror::obstacle(self.bridge, self.device, ports, self.host)
    }

    /// One that is left out, such as an uplink, may keep anything from being offloaded. With two
    /// ports there is no copy that would be spared.
    fn some_left_out(&self) -> Option<Finding> {
        let is_off = self.has_setting(FdbOffload::Off);
        if !self.any_enabled() || is_off || !self.is_hub() || self.ports.len() <= 2 {
            return None;
        }
        if summary::is_offloading(self.bridge) {
            return self.mirrored_in_vain();
        }
        let obstacle = self.obstacle()?;
        let left_out = self.ports.iter().filter(|port| !port.is_enabled());
        let left_out: Vec<_> = left_out.collect();
        // What is pasted must not blind a sniffer, which is silent.
        let helps = match (obstacle, left_out.as_slice()) {
            (Obstacle::Filtered, _) => Some(self.offload()),
            (_, [port]) if port.has_spoken() => Some(self.enable(port)),
            (Obstacle::Querier, _) => Some(format!(
                "ip link set dev {} type bridge mcast_snooping 0",
                self.name()
            )),
            _ => None,
        };
        let names = self.names.some(left_out.iter().map(|port| port.index()));
        Some(Finding::hint(
            format!(
                "{} makes copies that are then suppressed, since these ports are not enabled: {names}; {}. Leave out \
                 only who has to see everything",
                self.name(),
                obstacle.text(self.names)
            ),
            helps,
        ))
    }

    /// One that gets everything although it is no sniffer's, which is silent.
    fn mirrored_in_vain(&self) -> Option<Finding> {
        let mut ports = self.ports.iter();
        let port = ports.find(|port| !port.is_enabled() && port.has_spoken())?;
        let name = self.port_name(port);
        Some(Finding::hint(
            format!(
                "{name} gets a copy of every frame, since it is not enabled. Leave out only who has to see everything"
            ),
            Some(self.enable(port)),
        ))
    }

    fn enable(&self, port: &Port<'_>) -> String {
        format!("maclearn port set dev {} enabled on", self.port_name(port))
    }

    fn offload(&self) -> String {
        format!("maclearn bridge set dev {} fdb_offload auto", self.name())
    }

    /// Whether the MACs can be offloaded, as far as the ports are enabled.
    fn may_offload(&self) -> bool {
        self.any_enabled() && self.obstacle().is_none()
    }

    fn offload_off(&self) -> Option<Finding> {
        let is_off = self.is_hub() && self.has_setting(FdbOffload::Off) && self.may_offload();
        is_off.then(|| {
            Finding::hint(
                format!(
                    "{} makes copies that are then suppressed, since fdb_offload is off",
                    self.name()
                ),
                Some(self.offload()),
            )
        })
    }

    fn ageing(&self) -> Option<Finding> {
        let (own, learned) = (self.bridge.ageing_time?, self.device.ageing_time);
        let differs = self.bridge.ageing == Some(Ageing::Own) && learned != 0 && own != learned;
        differs.then(|| {
            Finding::hint(
                format!(
                    "{} learns by itself and forgets after {learned} s, maclearn after {own} s",
                    self.name()
                ),
                Some(format!(
                    "maclearn bridge set dev {} ageing bridge",
                    self.name()
                )),
            )
        })
    }

    fn failing_open(&self, port: &Port<'_>) -> Option<Finding> {
        if port.settings.failing_open != Some(true) {
            return None;
        }
        let name = self.port_name(port);
        let (why, helps) = self.whose_limit(port);
        Some(Finding::problem(
            format!("{name} gets every copy (it fails open), since {why}"),
            helps,
        ))
    }

    fn limit_reached(&self, port: &Port<'_>) -> Option<Finding> {
        if port.settings.limit_reached != Some(true) || port.settings.failing_open == Some(true) {
            return None;
        }
        let name = self.port_name(port);
        let (why, helps) = self.whose_limit(port);
        Some(Finding::problem(
            format!(
                "what is behind {name} is not learned, and its frames are copied to others, since {why}"
            ),
            helps,
        ))
    }

    /// Which limit keeps a port from learning, and what raises it.
    fn whose_limit(&self, port: &Port<'_>) -> (String, Option<String>) {
        let reached = |macs: Option<u32>, most: Option<u32>| {
            most.filter(|most| *most != 0 && macs >= Some(*most))
        };
        let (name, bridge) = (self.port_name(port), self.name());
        if let Some(most) = reached(port.settings.n_macs, port.settings.max_macs) {
            let more = more_than::<PortAttributes>(most);
            (
                format!("its max_macs {most} is reached"),
                Some(format!("maclearn port set dev {name} max_macs {more}")),
            )
        } else if let Some(most) = reached(self.bridge.n_macs, self.bridge.max_macs) {
            let more = more_than::<BridgeAttributes>(most);
            (
                format!("max_macs {most} of {bridge} is reached"),
                Some(format!("maclearn bridge set dev {bridge} max_macs {more}")),
            )
        } else {
            ("a limit was reached or memory was short".to_string(), None)
        }
    }

    fn keeps_back(&self, port: &Port<'_>) -> Option<Finding> {
        let device = port.device?;
        let name = self.port_name(port);
        if !self.is_hub() || self.has_setting(FdbOffload::Off) || !self.may_offload() {
            return None;
        }
        if device.is_proxy_arp {
            return Some(Finding::hint(
                format!(
                    "nothing is offloaded to {}, since {name} has proxy_arp",
                    self.name()
                ),
                Some(format!("bridge link set dev {name} proxy_arp off")),
            ));
        }
        let reasons = device.keeps_back.join(", ");
        (!reasons.is_empty()).then(|| {
            Finding::hint(
                format!(
                    "what is behind {name} is not offloaded to {}, since {name} has {reasons}",
                    self.name()
                ),
                Some(format!("bridge -d link show dev {name}")),
            )
        })
    }

    /// What a hub does not have in its FDB does not get there, or does not get in there.
    fn shut(&self, port: &Port<'_>) -> Option<Finding> {
        let device = port
            .device
            .filter(|_| self.is_hub() && self.any_enabled())?;
        let (bridge, name) = (self.name(), self.port_name(port));
        let (what, setting) = match (device.floods, device.is_locked) {
            (false, _) => (
                format!(
                    "{name} gets only what the fdb of {bridge} forwards there, since flood is off"
                ),
                "flood on",
            ),
            (_, true) => (
                format!(
                    "only what the fdb of {bridge} has at {name} can send there, since it is locked"
                ),
                "locked off",
            ),
            _ => return None,
        };
        let helps = format!("bridge link set dev {name} {setting}");
        Some(Finding::hint(what, Some(helps)))
    }

    /// Whether copies of what is for other ports were suppressed there, or never made.
    fn was_spared(&self, port: &Port<'_>) -> bool {
        let suppressed = port
            .counted
            .is_some_and(|counted| counted.suppressed > Some(0));
        let has_owned = |other: &Port<'_>| {
            other.index() != port.index()
                && other
                    .counted
                    .is_some_and(|counted| counted.passed_owned > Some(0))
        };
        suppressed || summary::is_offloading(self.bridge) && self.ports.iter().any(has_owned)
    }

    /// One that was spared copies, and has never sent anything.
    fn silent(&self, port: &Port<'_>) -> Option<Finding> {
        let counted = port.counted?;
        let is_silent = port.is_enabled()
            && port.settings.n_macs == Some(0)
            && port.settings.learning == Some(true)
            && counted.learned == Some(0);
        let name = self.port_name(port);
        (is_silent && self.was_spared(port)).then(|| {
            Finding::hint(
                format!(
                    "nobody has spoken behind {name}, which is enabled. If a sniffer is there, and only then, leave \
                     it out, since it misses what is for others"
                ),
                None,
            )
        })
    }

    fn unknown(&self, port: &Port<'_>) -> Option<Finding> {
        let suppresses =
            port.is_enabled() && port.settings.unknown_unicast == Some(UnknownUnicast::Suppress);
        let name = self.port_name(port);
        suppresses.then(|| {
            Finding::hint(
                format!("a guest behind {name} that is silent is not reached, since unknown_unicast is suppress"),
                Some(format!(
                    "maclearn entry add MAC dev {name}{}",
                    if self.device.filters_vlans { " vlan VID" } else { "" }
                )),
            )
        })
    }

    fn not_learning(&self, port: &Port<'_>) -> Option<Finding> {
        let name = self.port_name(port);
        (port.settings.learning == Some(false) && self.any_enabled()).then(|| {
            Finding::hint(
                format!(
                    "frames for what is behind {name} are copied to all, since learning is off"
                ),
                Some(format!("maclearn port set dev {name} learning on")),
            )
        })
    }
}

/// A higher limit, or none where the kernel takes no higher one.
fn more_than<A: Attributes>(most: u32) -> u64 {
    let setting = A::ATTRIBUTES
        .iter()
        .find(|setting| setting.name == "max_macs");
    let more = u64::from(most) * 2;
    let is_taken = setting.is_some_and(|setting| more <= setting.max);
    if is_taken { more } else { 0 }
}

/// Whether a name means nothing to a shell, or to nft.
fn is_plain(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_-.@+".contains(&byte))
}

/// A name as a shell takes it, in a command that may be pasted: a device may be called `$(reboot)`.
fn quoted(name: &str) -> String {
    match is_plain(name) {
        true => name.to_string(),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

/// A MAC in a VLAN of a bridge.
type Key = (u32, u16, [u8; 6]);

/// Who owns what, to see what several own.
#[derive(Default)]
struct Owners {
    /// The first owner of each, and whether it is that for good.
    seen: HashMap<Key, (u32, bool)>,
    shared: HashSet<Key>,
    /// What several own for good: who.
    fixed: BTreeMap<Key, BTreeSet<u32>>,
    /// Whether a bridge filters VLANs.
    filters: HashMap<u32, bool>,
    /// How many static entries of a bridge are of before it began to, or stopped.
    unused: BTreeMap<u32, usize>,
}

impl Owners {
    fn note(&mut self, entry: &EntryAttributes) {
        let (Some(bridge), Some(mac), Some(port)) = (entry.bridge, entry.mac, entry.port) else {
            return;
        };
        let key = (bridge, entry.vlan.unwrap_or_default(), mac.0);
        let is_static = entry.r#static == Some(true);
        let filters = self.filters.get(&bridge).copied();
        if is_static && !route::uses_entry(filters, key.1) {
            *self.unused.entry(bridge).or_default() += 1;
        }
        let Some(first) = self.seen.get_mut(&key) else {
            self.seen.insert(key, (port, is_static));
            return;
        };
        self.shared.insert(key);
        if is_static && first.1 {
            let ports = self.fixed.entry(key).or_default();
            ports.extend([first.0, port]);
        } else if is_static {
            *first = (port, true);
        }
    }

    fn findings(&self, names: &Names) -> Vec<Finding> {
        let text = |vlan: &u16| match vlan {
            0 => String::new(),
            vlan => format!(" vlan {vlan}"),
        };
        let unused = self.unused.iter().map(|(bridge, count)| {
            let name = quoted(&names.get(*bridge));
            let why = match self.filters.get(bridge) {
                Some(true) => "it filters VLANs",
                _ => "it does not filter VLANs",
            };
            Finding::problem(
                format!("{count} static entries of {name} are not used, since {why}"),
                Some(format!("maclearn entry show br {name} static")),
            )
        });
        let mut findings: Vec<_> = unused.collect();
        if let Some((bridge, vlan, mac)) = self.shared.iter().min() {
            let mac = Mac(*mac);
            findings.push(Finding::hint(
                format!(
                    "{} MACs are owned by several ports, which all get what is for them: {mac} is the first",
                    self.shared.len()
                ),
                Some(format!(
                    "maclearn entry show br {} mac {mac}{}",
                    quoted(&names.get(*bridge)),
                    text(vlan)
                )),
            ));
        }
        if let Some(((_, vlan, mac), ports)) = self.fixed.first_key_value() {
            let mac = Mac(*mac);
            findings.push(Finding::hint(
                format!(
                    "{} MACs have static entries at several ports, {mac} at {}: one that was moved in a file \
                     stays at the old port until it is deleted there",
                    self.fixed.len(),
                    names.some(ports.iter().copied())
                ),
                Some(format!("maclearn entry del {mac} dev PORT{}", text(vlan))),
            ));
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(index: u32) -> PortAttributes {
        PortAttributes {
            ifindex: Some(index),
            bridge: Some(1),
            enabled: Some(true),
            learning: Some(true),
            unknown_unicast: Some(UnknownUnicast::Flood),
            max_macs: Some(10),
            n_macs: Some(1),
            ..Default::default()
        }
    }

    /// What is found at a bridge with the ports 2 and 3, where all is as it should be, after a
    /// change.
    fn found(
        change: impl FnOnce(
            &mut BridgeAttributes,
            &mut route::Bridge,
            &mut Vec<PortAttributes>,
            &mut route::Port,
        ),
    ) -> Vec<String> {
        let mut bridge = BridgeAttributes {
            ifindex: Some(1),
            fdb_offload: Some(FdbOffload::Auto),
            ageing: Some(Ageing::Bridge),
            ageing_time: Some(300),
            max_macs: Some(100),
            n_macs: Some(2),
            ..Default::default()
        };
        let mut device = route::Bridge::default();
        let mut ports = vec![settings(2), settings(3)];
        let mut port = route::Port {
            floods: true,
            ..Default::default()
        };
        change(&mut bridge, &mut device, &mut ports, &mut port);
        let counted = StatisticsAttributes {
            suppressed: Some(5),
            learned: Some(0),
            ..Default::default()
        };
        let patient = Patient {
            bridge: &bridge,
            device,
            ports: ports
                .iter()
                .map(|settings| Port {
                    settings,
                    device: (settings.ifindex == Some(3)).then_some(&port),
                    counted: (settings.ifindex == Some(2)).then_some(&counted),
                })
                .collect(),
            host: None,
            names: &Names::default(),
        };
        let findings = patient.examine();
        let texts = findings.iter().map(|finding| {
            format!(
                "{:?}: {} # {}",
                finding.weight,
                finding.what,
                finding.helps.as_deref().unwrap_or_default()
            )
        });
        texts.collect()
    }

    #[test]
    fn what_is_to_be_pasted_is_harmless_to_a_shell() {
        for (name, wanted) in [
            ("vnet0.10_a-b@c+d", "vnet0.10_a-b@c+d"),
            ("$(reboot)", "'$(reboot)'"),
            ("a;b'c", "'a;b'\\''c'"),
        ] {
            assert_eq!(quoted(name), wanted);
        }
        let shown = |family, table: &str, chain: &str| {
            show_chain(&Suspect {
                family,
                table: table.to_string(),
                chain: chain.to_string(),
                frames: Frames::Between,
                fate: Fate::DropsSome,
            })
        };
        let wanted = "ebtables-legacy -t filter -L 'a;b'";
        assert_eq!(shown("ebtables-legacy", "filter", "a;b"), wanted);
        let wanted = "iptables-legacy -t filter -S 'a b'";
        assert_eq!(shown("iptables-legacy", "filter", "a b"), wanted);
        assert_eq!(shown("bridge", "t", "c; flush ruleset"), "nft list ruleset");
        assert_eq!(shown("bridge", "t`id`", "c"), "nft list ruleset");
    }

    #[test]
    fn the_highest_limit_is_raised_to_none() {
        let port = |most| {
            let raised = found(|_, _, ports, _| {
                ports[0].failing_open = Some(true);
                (ports[0].n_macs, ports[0].max_macs) = (Some(most), Some(most));
            });
            raised[0].rsplit(' ').next().map(str::to_string)
        };
        assert_eq!(port(1 << 19).as_deref(), Some("1048576"));
        assert_eq!(port((1 << 19) + 1).as_deref(), Some("0"));
    }

    #[test]
    fn finds_nothing_where_all_is_well() {
        assert_eq!(found(|_, _, _, _| ()), [""; 0]);
    }

    #[test]
    fn finds_each_trap_and_says_what_helps() {
        let none_enabled = |ports: &mut Vec<PortAttributes>| {
            ports.push(settings(4));
            ports.iter_mut().for_each(|port| port.enabled = Some(false));
        };
        assert_eq!(
            found(|_, _, ports, _| none_enabled(ports)),
            [
                "Problem: no port of if1 is enabled: every port gets every copy. Enable each but a \
              sniffer's # maclearn port set dev PORT enabled on"
            ]
        );
        // Two ports, and a bridge that learns
        assert_eq!(
            found(|_, _, ports, _| {
                none_enabled(ports);
                ports.pop();
            }),
            [""; 0]
        );
        assert_eq!(
            found(|_, device, ports, _| {
                none_enabled(ports);
                device.ageing_time = 300;
            }),
            [""; 0]
        );
        assert_eq!(
            found(|bridge, _, _, _| bridge.fdb_offload = Some(FdbOffload::Off)),
            [
                "Hint: if1 makes copies that are then suppressed, since fdb_offload is off # \
              maclearn bridge set dev if1 fdb_offload auto"
            ]
        );
        assert_eq!(
            found(|bridge, device, _, _| {
                (bridge.ageing, bridge.ageing_time) = (Some(Ageing::Own), Some(60));
                device.ageing_time = 300;
            }),
            [
                "Hint: if1 learns by itself and forgets after 300 s, maclearn after 60 s # \
              maclearn bridge set dev if1 ageing bridge"
            ]
        );
        assert_eq!(
            found(|_, _, ports, _| {
                (ports[0].failing_open, ports[0].limit_reached) = (Some(true), Some(true));
                ports[0].n_macs = Some(10);
            }),
            [
                "Problem: if2 gets every copy (it fails open), since its max_macs 10 is reached # \
              maclearn port set dev if2 max_macs 20"
            ]
        );
        assert_eq!(
            found(|bridge, _, ports, _| {
                ports[0].limit_reached = Some(true);
                bridge.n_macs = Some(100);
            }),
            [
                "Problem: what is behind if2 is not learned, and its frames are copied to others, since max_macs 100 \
              of if1 is reached # maclearn bridge set dev if1 max_macs 200"
            ]
        );
        assert_eq!(
            found(|_, _, _, port| port.keeps_back = vec!["neigh_suppress", "proxy_arp_wifi"]),
            [
                "Hint: what is behind if3 is not offloaded to if1, since if3 has neigh_suppress, proxy_arp_wifi # \
              bridge -d link show dev if3"
            ]
        );
        assert_eq!(
            found(|_, _, _, port| port.is_proxy_arp = true),
            [
                "Hint: nothing is offloaded to if1, since if3 has proxy_arp # bridge link set dev if3 proxy_arp off"
            ]
        );
        assert_eq!(
            found(|_, _, ports, _| ports[1].unknown_unicast = Some(UnknownUnicast::Suppress)),
            [
                "Hint: a guest behind if3 that is silent is not reached, since unknown_unicast is suppress # \
              maclearn entry add MAC dev if3"
            ]
        );
        assert_eq!(
            found(|_, device, ports, _| {
                device.filters_vlans = true;
                ports[1].unknown_unicast = Some(UnknownUnicast::Suppress);
            }),
            [
                "Hint: a guest behind if3 that is silent is not reached, since unknown_unicast is suppress # \
              maclearn entry add MAC dev if3 vlan VID"
            ]
        );
        assert_eq!(
            found(|_, _, ports, _| ports[1].learning = Some(false)),
            [
                "Hint: frames for what is behind if3 are copied to all, since learning is off # \
              maclearn port set dev if3 learning on"
            ]
        );
    }

    #[test]
    fn finds_who_is_left_out_where_that_costs_something() {
        // Of so many ports the second, if3, is left out.
        let found = |count: u32,
                     change: fn(
            &mut BridgeAttributes,
            &mut route::Bridge,
            &mut Vec<PortAttributes>,
        )| {
            found(|bridge, device, ports, _| {
                ports.extend((4..2 + count).map(settings));
                ports[1].enabled = Some(false);
                change(bridge, device, ports);
            })
        };
        let makes = |rest: &str| {
            let makes = "Hint: if1 makes copies that are then suppressed, since these ports are not enabled:";
            [format!("{makes} {rest}")]
        };
        let enable =
            "Leave out only who has to see everything # maclearn port set dev if3 enabled on";
        let leave = "Leave out only who has to see everything # ";
        assert_eq!(found(2, |_, _, _| ()), [""; 0]);
        let few = makes(&format!("if3; fewer than 4 ports are. {enable}"));
        assert_eq!(found(3, |_, _, _| ()), few);
        assert_eq!(found(4, |_, _, _| ()), few);
        // It may be a sniffer's, or one of them may.
        let silent = makes(&format!("if3; fewer than 4 ports are. {leave}"));
        assert_eq!(found(3, |_, _, ports| ports[1].n_macs = Some(0)), silent);
        let two = makes(&format!("if3, if4; fewer than 4 ports are. {leave}"));
        assert_eq!(found(3, |_, _, ports| ports[2].enabled = Some(false)), two);
        // Then nothing is suppressed, but mirrored.
        assert_eq!(found(5, |_, _, _| ()), [""; 0]);
        let mirrors =
            |bridge: &mut BridgeAttributes, _: &mut _, _: &mut _| bridge.n_offloaded = Some(1);
        let in_vain =
            format!("Hint: if3 gets a copy of every frame, since it is not enabled. {enable}");
        assert_eq!(found(5, mirrors), [in_vain]);
        let of_sniffer = found(5, |bridge, _, ports| {
            bridge.n_offloaded = Some(1);
            ports[1].n_macs = Some(0);
        });
        assert_eq!(of_sniffer, [""; 0]);
        let set = |offload| format!("fdb_offload is {offload}");
        let auto = "maclearn bridge set dev if1 fdb_offload auto";
        let filtered = makes(&format!("if3; {}. {leave}{auto}", set("filtered")));
        let found_filtered = |bridge: &mut BridgeAttributes, _: &mut _, _: &mut _| {
            bridge.fdb_offload = Some(FdbOffload::Filtered);
        };
        assert_eq!(found(5, found_filtered), filtered);
        // It would help at once where fdb_offload does not.
        assert_eq!(found(4, found_filtered), few);
        let off = |bridge: &mut BridgeAttributes, _: &mut _, _: &mut _| {
            bridge.fdb_offload = Some(FdbOffload::Off);
        };
        let is_off = format!(
            "Hint: if1 makes copies that are then suppressed, since {} # {auto}",
            set("off")
        );
        assert_eq!(found(5, off), [is_off]);
        assert_eq!(found(4, off), [""; 0]);
        let querier = found(5, |_, device, ports| {
            device.has_querier = true;
            ports[1].n_macs = Some(0);
        });
        let snooping = "ip link set dev if1 type bridge mcast_snooping 0";
        let wanted = makes(&format!(
            "if3; there is a multicast querier. {leave}{snooping}"
        ));
        assert_eq!(querier, wanted);
    }

    #[test]
    fn finds_ports_of_a_hub_that_are_shut_and_one_that_is_silent() {
        assert_eq!(
            found(|_, _, _, port| port.floods = false),
            [
                "Hint: if3 gets only what the fdb of if1 forwards there, since flood is off # \
                 bridge link set dev if3 flood on"
            ]
        );
        assert_eq!(
            found(|_, _, _, port| port.is_locked = true),
            [
                "Hint: only what the fdb of if1 has at if3 can send there, since it is locked # \
                 bridge link set dev if3 locked off"
            ]
        );
        // A bridge that learns knows what to do with them.
        let learning = |device: &mut route::Bridge| device.ageing_time = 300;
        assert_eq!(
            found(|_, device, _, port| {
                learning(device);
                (port.floods, port.is_locked) = (false, true);
                port.keeps_back = vec!["neigh_suppress"];
            }),
            [""; 0]
        );
        // Port 2 was spared copies, and nothing was ever learned there.
        assert_eq!(
            found(|_, _, ports, _| ports[0].n_macs = Some(0)),
            [
                "Hint: nobody has spoken behind if2, which is enabled. If a sniffer is there, and only then, \
                 leave it out, since it misses what is for others # "
            ]
        );
        assert_eq!(found(|_, _, ports, _| ports[1].n_macs = Some(0)), [""; 0]);
    }

    #[test]
    fn finds_a_module_that_was_replaced() {
        let build = |version: &str| Build(Some(version.to_string()), Some("5A".to_string()));
        let none = Build(None, None);
        assert_eq!(not_installed(build("1.0"), build("1.0")), None);
        assert_eq!(not_installed(build("1.0"), none), None);
        let found = not_installed(build("1.0"), build("1.1"));
        let wanted = Finding::hint(
            "the module that is installed, 1.1 5A, is not the one that runs, 1.0 5A",
            Some("maclearn reload".to_string()),
        );
        assert_eq!(found, Some(wanted));
    }

    #[test]
    fn finds_what_several_own() {
        let entry = |port, mac| EntryAttributes {
            bridge: Some(1),
            port: Some(port),
            mac: Some(Mac([2, 0, 0, 0, 0, mac])),
            ..Default::default()
        };
        let mut owners = Owners::default();
        for (port, mac) in [(2, 1), (2, 2), (3, 3)] {
            owners.note(&entry(port, mac));
        }
        assert_eq!(owners.findings(&Names::default()), []);
        owners.note(&entry(3, 2));
        let helps = |owners: &Owners| {
            let findings = owners.findings(&Names::default()).into_iter();
            findings
                .filter_map(|finding| finding.helps)
                .collect::<Vec<_>>()
        };
        let show = "maclearn entry show br if1 mac 02:00:00:00:00:02".to_string();
        assert_eq!(helps(&owners), [show.clone()]);
        // One of them for good, and then another.
        let fixed = |port| EntryAttributes {
            r#static: Some(true),
            vlan: Some(7),
            ..entry(port, 9)
        };
        owners.note(&EntryAttributes {
            vlan: Some(7),
            ..entry(4, 9)
        });
        owners.note(&fixed(2));
        assert_eq!(helps(&owners), [show.clone()]);
        owners.note(&fixed(3));
        let del = "maclearn entry del 02:00:00:00:00:09 dev PORT vlan 7".to_string();
        assert_eq!(helps(&owners), [show, del]);
        let found = owners.findings(&Names::default());
        assert!(found[1].what.starts_with(
            "1 MACs have static entries at several ports, 02:00:00:00:00:09 at if2, if3:"
        ));
    }

    #[test]
    fn says_why_the_module_is_not_there() {
        let what = |absent: &Absent| {
            let findings = absent.findings("7.3.4").into_iter();
            findings
                .map(|finding| (finding.what, finding.helps.unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let told = |what: &str, helps: &str| (what.to_string(), helps.to_string());
        let absent = Absent {
            is_installed: true,
            ..Default::default()
        };
        let not_loaded = told("the module is not loaded", "modprobe maclearn");
        assert_eq!(what(&absent), [not_loaded.clone()]);
        let refused = "the kernel's log says of a module: Loading of unsigned module is rejected";
        let unsigned =
            "this kernel loads only modules that are signed, and the one that is installed is not";
        let absent = Absent {
            only_signed: true,
            refused: Some("Loading of unsigned module is rejected".to_string()),
            ..absent
        };
        let sign = "MACLEARN_SIGN=FOLDER make deb KERNELS=7.3.4; \
                    apt install --reinstall ./maclearn-modules-7.3.4_*.deb; mokutil --import FOLDER/MOK.der";
        let wanted = [
            not_loaded.clone(),
            told(refused, sign),
            told(unsigned, sign),
        ];
        assert_eq!(what(&absent), wanted);
        let absent = Absent {
            built_of: Some("1.2".to_string()),
            ..absent
        };
        let sign = "dkms build --force maclearn/1.2 -k 7.3.4 && dkms install --force maclearn/1.2 -k 7.3.4 \
                    && mokutil --import /var/lib/dkms/mok.pub";
        let wanted = [not_loaded, told(refused, sign), told(unsigned, sign)];
        assert_eq!(what(&absent), wanted);
        let signed = Absent {
            is_signed: true,
            ..absent
        };
        assert_eq!(what(&signed)[1].1, "mokutil --import /var/lib/dkms/mok.pub");
    }

    #[test]
    fn says_what_helps_where_no_module_is_for_the_kernel() {
        let told = |absent: &Absent, release: &str| {
            let found = absent.findings(release).remove(0);
            format!("{} # {}", found.what, found.helps.unwrap_or_default())
        };
        let mut absent = Absent::default();
        let package = "there is no module for this kernel, 7.3.4: make its package where the source of maclearn is, \
                       and install that here";
        let make = "make deb KERNELS=7.3.4; apt install ./maclearn-modules-7.3.4_*.deb";
        assert_eq!(told(&absent, "7.3.4"), format!("{package} # {make}"));
        let unsupported = "this kernel, 7.30.1, is not supported yet: the module is for Linux 6.12, 7.2, 7.3. Boot \
                           one of these";
        assert_eq!(
            told(&absent, "7.30.1"),
            format!(
                "{unsupported} # apt list 'linux-image-6.12.*' 'linux-image-7.2.*' 'linux-image-7.3.*'"
            )
        );
        absent.others = vec!["7.2.1".to_string(), "7.3.3".to_string()];
        let boot = "Or boot a kernel that has one: 7.2.1, 7.3.3";
        assert_eq!(
            told(&absent, "7.3.4"),
            format!("{package}. {boot} # {make}")
        );
        absent.built_of = Some("1.2".to_string());
        assert_eq!(
            told(&absent, "7.3.4"),
            format!(
                "the module was not built for this kernel, 7.3.4. {boot} # \
                 apt install linux-headers-7.3.4; dkms install maclearn/1.2 -k 7.3.4"
            )
        );
        assert_eq!(
            told(&absent, "7.30.1"),
            format!("{unsupported}, such as one that has it: 7.2.1, 7.3.3 # ")
        );
    }

    #[test]
    fn supports_what_dkms_builds_for() {
        let configuration = include_str!("../../../../debian/maclearn-dkms.dkms");
        let wanted = r#"BUILD_EXCLUSIVE_KERNEL="^(6\.12|7\.[23])[.-]""#;
        assert!(configuration.contains(wanted), "{configuration}");
        for release in ["6.12.107+deb13-amd64", "7.2.1", "7.3-rt-amd64"] {
            assert!(is_supported(release), "{release}");
        }
        for release in ["6.1.2", "6.120.1", "7.30.1", "7.4.0", "17.3.1"] {
            assert!(!is_supported(release), "{release}");
        }
    }

    #[test]
    fn finds_what_is_wrong_in_the_file_of_the_service() {
        let found = wrong_settings(Failure::usage(format!(
            "Error: {FILE} line 4: colour is no setting."
        )));
        let wanted = Finding::problem(
            "/etc/maclearn.toml line 4: colour is no setting: the service that gives settings does not start with \
             that; one that runs keeps what the file said before",
            Some(
                "editor /etc/maclearn.toml; maclearn apply /etc/maclearn.toml check && \
                 systemctl reload-or-restart maclearn"
                    .to_string(),
            ),
        );
        assert_eq!(found, wanted);
    }

    #[test]
    fn finds_chains_that_frames_pass() {
        let suspect = |family, frames, fate| Suspect {
            family,
            table: "filter".to_string(),
            chain: "FORWARD".to_string(),
            frames,
            fate,
        };
        let told = |suspects: &[Suspect], calling: &Calling| {
            let findings = suspected(suspects, calling).into_iter();
            let text = |finding: Finding| {
                assert_eq!(finding.weight, Weight::Hint);
                format!("{} # {}", finding.what, finding.helps.unwrap_or_default())
            };
            findings.map(text).collect::<Vec<_>>()
        };
        let unknown = |chain: &str| Fate::Unknown(chain.to_string(), "queue".to_string());
        let devices = BTreeSet::from(["host1".to_string(), "vnet*".to_string()]);
        let bridge = [
            suspect("bridge", Frames::Between, Fate::DropsRest),
            suspect("bridge", Frames::Entering, Fate::DropsSome),
            suspect("bridge", Frames::ForHost, unknown("mine")),
            suspect("bridge", Frames::FromHost, unknown("__chain0")),
            suspect("ebtables-legacy", Frames::Leaving, Fate::DropsSome),
            suspect("netdev", Frames::In(devices.clone()), Fate::DropsSome),
            suspect("netdev", Frames::Out(devices), Fate::DropsSome),
        ];
        let wanted = [
            "the chain bridge filter FORWARD drops frames between ports, but for what a rule accepts; all bridges pass it # \
             nft list chain bridge filter FORWARD",
            "the chain bridge filter FORWARD drops some frames that enter a bridge; all bridges pass it # \
             nft list chain bridge filter FORWARD",
            "what the chain bridge filter FORWARD does with frames for this host is not known: queue in mine; all bridges pass it # \
             nft list chain bridge filter mine",
            "what the chain bridge filter FORWARD does with frames from this host is not known: queue in __chain0; all bridges pass it # \
             nft list table bridge filter",
            "the chain ebtables-legacy filter FORWARD drops some frames that leave a bridge; all bridges pass it # \
             ebtables-legacy -t filter -L FORWARD",
            "the chain netdev filter FORWARD drops some frames that come in at host1, vnet* # \
             nft list chain netdev filter FORWARD",
            "the chain netdev filter FORWARD drops some frames that leave through host1, vnet* # \
             nft list chain netdev filter FORWARD",
        ];
        assert_eq!(told(&bridge, &Calling::default()), wanted);
        let iptables = [
            suspect("ip", Frames::Iptables, Fate::DropsRest),
            suspect("iptables-legacy", Frames::Iptables, Fate::DropsSome),
            suspect("inet", Frames::Iptables, unknown("mine")),
        ];
        assert_eq!(told(&iptables, &Calling::default()), [""; 0]);
        let passes =
            "packets between ports of br0, br1 pass iptables (bridge-nf-call-iptables), and";
        let those = "The firewalls of Proxmox VE, Docker and Kubernetes work so: change a rule, and leave that on";
        let wanted = [
            format!(
                "{passes} the chain ip filter FORWARD drops them, but for what a rule accepts. {those} # nft list chain ip filter FORWARD"
            ),
            format!(
                "{passes} the chain iptables-legacy filter FORWARD drops some. {those} # \
                 iptables-legacy -t filter -S FORWARD"
            ),
            format!(
                "{passes} what the chain inet filter FORWARD does there is not known: queue in mine # \
                 nft list chain inet filter mine"
            ),
        ];
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let ip = Calling {
            ip: names(&["br0", "br1"]),
            ..Default::default()
        };
        assert_eq!(told(&iptables, &ip), wanted);
        // A chain of the other protocol is not passed, and one of both is.
        let ip6 = Calling {
            ip6: names(&["br2"]),
            ..Default::default()
        };
        assert_eq!(
            told(&iptables, &ip6),
            [
                "packets between ports of br2 pass ip6tables (bridge-nf-call-ip6tables), and what the chain inet \
                 filter FORWARD does there is not known: queue in mine # nft list chain inet filter mine"
            ]
        );
    }

    #[test]
    fn a_table_of_which_nothing_is_told_is_not_known() {
        let told = |command, calling: &Calling| {
            let untold = Untold {
                command,
                table: "filter".to_string(),
                why: "it fails".to_string(),
            };
            silence(&untold, calling)
                .map(|found| format!("{} # {}", found.what, found.helps.unwrap_or_default()))
        };
        let none = Calling::default();
        assert_eq!(
            told("ebtables-legacy", &none).unwrap_or_default(),
            "what the table ebtables-legacy filter does with frames of all bridges is not known: it fails # \
             ebtables-legacy -t filter -L"
        );
        let ip = Calling {
            ip: BTreeSet::from(["br0".to_string()]),
            ..Default::default()
        };
        assert_eq!(
            told("iptables-legacy", &ip).unwrap_or_default(),
            "packets between ports of br0 pass iptables (bridge-nf-call-iptables), and what the table \
             iptables-legacy filter does there is not known: it fails # iptables-legacy -t filter -S"
        );
        assert_eq!(told("ip6tables-legacy", &ip), None);
        assert_eq!(told("iptables-legacy", &none), None);
    }
}
