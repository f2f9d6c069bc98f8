//! The network: branches with breakers, loads, and what it looks like from the machines.
//!
//! # Theory of operation
//! Everything is in per unit of one system base. Loads are constant admittances and machines are a constant voltage behind
//! their transient reactance, so the network is linear: the voltages of all buses are fixed complex multiples of the
//! machines' internal voltages. [`Network::reduce`] finds the multiples anew after each switching event; between
//! events a step costs a 3x3 multiplication (Anderson and Fouad, *Power System Control and Stability*, 2.9).
//!
//! Islands need no care of their own: buses without a path to a machine are left out and have no voltage, and two
//! islands with machines are two blocks of one matrix.
//!
//! # Terms
//! *End* 0 of a branch is at its `from` bus, end 1 at its `to` bus. A branch whose breaker is open at one end hangs on the
//! other with its charging. A *bolted* fault is a shunt of `FAULT_PU`.

use num_complex::Complex64;

use super::linear::solve;

/// Admittance of a bolted three-phase fault: as in the reference computation.
const FAULT_PU: f64 = 1e6;

/// A line or a transformer: the pi equivalent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Bus at end 0.
    pub from: usize,
    /// Bus at end 1.
    pub to: usize,
    /// Series resistance and reactance.
    pub impedance: Complex64,
    /// Charging susceptance of the whole line; 0 for a transformer.
    pub charging: f64,
}

/// A machine as the network sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Source {
    /// Bus at its terminals.
    pub bus: usize,
    /// Transient reactance x'd.
    pub reactance: f64,
}

/// What can change while the plant runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Switching {
    /// For each branch, whether its breakers at end 0 and end 1 are closed.
    pub closed: Vec<[bool; 2]>,
    /// For each branch, at which end of the line itself, outside the breaker, it is short-circuited.
    pub line_fault: Vec<Option<usize>>,
    /// For each bus, whether it is short-circuited.
    pub bus_fault: Vec<bool>,
    /// For each bus, what its customers take at 1 pu, as an admittance.
    pub load: Vec<Complex64>,
}

/// Buses, branches and machines.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Number of buses.
    pub buses: usize,
    /// Lines and transformers.
    pub branches: Vec<Branch>,
    /// Machines.
    pub sources: Vec<Source>,
}

/// The network as the machines see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    sources: usize,
    /// Voltage of each bus for 1 pu behind each machine's reactance, bus by bus.
    transfer: Vec<Complex64>,
    /// Current out of each machine for 1 pu behind each machine's reactance, machine by machine.
    admittance: Vec<Complex64>,
    /// Island of each bus: the least number of a machine that feeds it; none where there is none.
    island: Vec<Option<usize>>,
}

impl Reduction {
    /// Voltage multiples of a bus, one for each machine.
    pub fn transfer(&self, bus: usize) -> &[Complex64] {
        &self.transfer[bus * self.sources..][..self.sources]
    }

    /// Current multiples of a machine, one for each machine.
    pub fn admittance(&self, source: usize) -> &[Complex64] {
        &self.admittance[source * self.sources..][..self.sources]
    }

    /// Island of a bus, by the least number of a machine that feeds it; none where none does.
    pub fn island(&self, bus: usize) -> Option<usize> {
        self.island[bus]
    }
}

impl Branch {
    fn half_charging(&self) -> Complex64 {
        Complex64::new(0.0, 0.5 * self.charging)
    }

    /// What a bus sees of the branch that is open at the far end; nothing where there is no charging to feed.
    fn hanging(&self) -> Complex64 {
        let shunt = self.half_charging();
        if self.charging == 0.0 { shunt } else { shunt + 1.0 / (self.impedance + 1.0 / shunt) }
    }

    /// Voltage at the open far end, over that at the near end: a little above 1, by the charging (Ferranti).
    fn open_end_ratio(&self) -> Complex64 {
        let shunt = self.half_charging();
        1.0 / (self.impedance * shunt + 1.0)
    }
}

impl Network {
    /// All breakers closed, no fault, and these loads.
    pub fn intact(&self, load: Vec<Complex64>) -> Switching {
        Switching {
            closed: vec![[true; 2]; self.branches.len()],
            line_fault: vec![None; self.branches.len()],
            bus_fault: vec![false; self.buses],
            load,
        }
    }

    /// The admittance matrix of branches alone, all closed; row by row.
    pub(crate) fn admittance(&self) -> Vec<Complex64> {
        let nothing = vec![Complex64::default(); self.buses];
        self.matrix(&self.intact(nothing))
    }

    fn matrix(&self, switching: &Switching) -> Vec<Complex64> {
        let n = self.buses;
        let mut matrix = vec![Complex64::default(); n * n];
        for (index, branch) in self.branches.iter().enumerate() {
            let ends = [branch.from, branch.to];
            let closed = switching.closed[index];
            let series = 1.0 / branch.impedance;
            match (switching.line_fault[index], closed) {
                (_, [false, false]) => {}
                (Some(faulted), _) => {
                    let other = 1 - faulted;
                    if closed[faulted] {
                        matrix[ends[faulted] * (n + 1)] += FAULT_PU;
                    }
                    if closed[other] {
                        matrix[ends[other] * (n + 1)] += series + branch.half_charging();
                    }
                }
                (None, [true, true]) => {
                    for (end, far) in [(0, 1), (1, 0)] {
                        matrix[ends[end] * (n + 1)] += series + branch.half_charging();
                        matrix[ends[end] * n + ends[far]] -= series;
                    }
                }
                (None, _) => {
                    let end = usize::from(closed[1]);
                    matrix[ends[end] * (n + 1)] += branch.hanging();
                }
            }
        }
        for bus in 0..n {
            matrix[bus * (n + 1)] += switching.load[bus];
            if switching.bus_fault[bus] {
                matrix[bus * (n + 1)] += FAULT_PU;
            }
        }
        matrix
    }

    /// Island of each bus.
    fn islands(&self, switching: &Switching) -> Vec<Option<usize>> {
        let mut island = vec![None; self.buses];
        for (index, source) in self.sources.iter().enumerate() {
            island[source.bus] = Some(index);
        }
        let mut grown = true;
        while grown {
            grown = false;
            for (index, branch) in self.branches.iter().enumerate() {
                let joins = switching.closed[index] == [true; 2] && switching.line_fault[index].is_none();
                let (from, to) = (island[branch.from], island[branch.to]);
                if joins && from != to {
                    let least = from.into_iter().chain(to).min();
                    (island[branch.from], island[branch.to]) = (least, least);
                    grown = true;
                }
            }
        }
        island
    }

    /// What the machines see after a switching event.
    ///
    /// `V = (Y + 1/jx'd at the machines)^-1 I` over the live buses, for 1 pu behind each reactance in turn.
    pub fn reduce(&self, switching: &Switching) -> Reduction {
        let sources = self.sources.len();
        let island = self.islands(switching);
        let matrix = self.matrix(switching);
        let kept: Vec<usize> = (0..self.buses).filter(|bus| island[*bus].is_some()).collect();
        let width = kept.len() + sources;
        let mut rows = Vec::with_capacity(kept.len() * width);
        for bus in &kept {
            rows.extend(kept.iter().map(|other| matrix[bus * self.buses + other]));
            rows.extend(std::iter::repeat_n(Complex64::default(), sources));
        }
        let inner: Vec<Complex64> =
            self.sources.iter().map(|source| 1.0 / Complex64::new(0.0, source.reactance)).collect();
        for (index, source) in self.sources.iter().enumerate() {
            if let Some(row) = kept.iter().position(|bus| *bus == source.bus) {
                rows[row * width + row] += inner[index];
                rows[row * width + kept.len() + index] += inner[index];
            }
        }
        let solved = solve(&mut rows, kept.len(), sources);
        let mut transfer = vec![Complex64::default(); self.buses * sources];
        // Every live bus has a way to a machine's admittance, so there is always a solution; none is darkness.
        if solved {
            for (row, bus) in kept.iter().enumerate() {
                transfer[bus * sources..][..sources]
                    .copy_from_slice(&rows[row * width + kept.len()..][..sources]);
            }
        }
        let mut admittance = vec![Complex64::default(); sources * sources];
        for (index, source) in self.sources.iter().enumerate() {
            for other in 0..sources {
                let own = if index == other { inner[index] } else { Complex64::default() };
                admittance[index * sources + other] =
                    own - inner[index] * transfer[source.bus * sources + other];
            }
        }
        Reduction { sources, transfer, admittance, island }
    }

    /// Voltage at one end of a branch, on the branch's side of the breaker there, from the voltages of all buses.
    pub fn branch_side_voltage(
        &self,
        switching: &Switching,
        voltages: &[Complex64],
        branch: usize,
        end: usize,
    ) -> Complex64 {
        let design = &self.branches[branch];
        let ends = [design.from, design.to];
        if switching.line_fault[branch] == Some(end) {
            return Complex64::default();
        }
        match (switching.closed[branch][end], switching.closed[branch][1 - end]) {
            (true, _) => voltages[ends[end]],
            (false, true) if switching.line_fault[branch].is_some() => Complex64::default(),
            (false, true) => voltages[ends[1 - end]] * design.open_end_ratio(),
            (false, false) => Complex64::default(),
        }
    }

    /// Complex power out of a bus into one end of a branch.
    pub fn branch_power(
        &self,
        switching: &Switching,
        voltages: &[Complex64],
        branch: usize,
        end: usize,
    ) -> Complex64 {
        let design = &self.branches[branch];
        let ends = [design.from, design.to];
        let near = voltages[ends[end]];
        let closed = switching.closed[branch];
        if !closed[end] {
            return Complex64::default();
        }
        let current = match switching.line_fault[branch] {
            Some(faulted) if faulted == end => near * FAULT_PU,
            Some(_) => near * (1.0 / design.impedance + design.half_charging()),
            None if closed[1 - end] => {
                (near - voltages[ends[1 - end]]) / design.impedance + near * design.half_charging()
            }
            None => near * design.hanging(),
        };
        near * current.conj()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine, a line and a load.
    fn network() -> Network {
        Network {
            buses: 2,
            branches: vec![Branch { from: 0, to: 1, impedance: Complex64::new(0.01, 0.1), charging: 0.2 }],
            sources: vec![Source { bus: 0, reactance: 0.2 }],
        }
    }

    fn load() -> Vec<Complex64> {
        vec![Complex64::default(), Complex64::new(1.0, -0.3)]
    }

    #[test]
    fn power_into_the_network_is_power_out_of_it() {
        let network = network();
        let switching = network.intact(load());
        let reduction = network.reduce(&switching);
        let voltages = [reduction.transfer(0)[0], reduction.transfer(1)[0]];
        let sent = network.branch_power(&switching, &voltages, 0, 0);
        let arrived = -network.branch_power(&switching, &voltages, 0, 1);
        let taken = voltages[1].norm_sqr() * load()[1].conj();
        assert!((arrived - taken).norm_sqr() < 1e-24, "{arrived} {taken}");
        let source = reduction.admittance(0)[0].conj();
        assert!((source.re - sent.re).abs() < 1e-12 && sent.re > arrived.re);
    }

    #[test]
    fn a_line_open_at_the_far_end_is_charged_and_its_bus_is_dead() {
        let network = network();
        let mut switching = network.intact(load());
        switching.closed[0] = [true, false];
        let reduction = network.reduce(&switching);
        let voltages = [reduction.transfer(0)[0], reduction.transfer(1)[0]];
        assert!(reduction.island(0) == Some(0) && reduction.island(1).is_none());
        assert_eq!(voltages[1], Complex64::default());
        let sent = network.branch_power(&switching, &voltages, 0, 0);
        assert!(sent.im < -0.19 && sent.re < 0.001, "charging: {sent}");
        let open_end = network.branch_side_voltage(&switching, &voltages, 0, 1);
        assert!(open_end.norm_sqr() > voltages[0].norm_sqr(), "the open end stands higher");
    }

    #[test]
    fn a_fault_takes_the_voltage() {
        let network = network();
        let mut switching = network.intact(load());
        switching.bus_fault[1] = true;
        assert!(network.reduce(&switching).transfer(1)[0].norm_sqr() < 1e-9);
        switching.bus_fault[1] = false;
        switching.line_fault[0] = Some(1);
        let reduction = network.reduce(&switching);
        assert!(reduction.transfer(0)[0].norm_sqr() < 0.2 && reduction.island(1).is_none());
    }
}
