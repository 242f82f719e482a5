//! Names the cycles of a graph, for people to break them.

use std::collections::VecDeque;

use super::graph::Graph;

/// A graph can have more cycles than there are atoms; about so many are reported.
const MOST_TOLD: usize = 1000;
/// So many modules are named in the cycles that are reported, and those of the last one.
const MOST_NAMED: usize = 20_000;
/// So many steps are taken in looking for the cycles through one module.
const MOST_STEPS: usize = 100_000;

/// The cycles of a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Each cycle as the modules on it; the last one needs the first.
    pub cycles: Vec<Vec<u32>>,
    /// How many modules are on any cycle.
    pub modules: usize,
}

impl Cycles {
    /// Finds the cycles. Each module in module order that is on none found so far is the beginning
    /// of the ways that lead back to it, of two ways the one by the later dependency first. Of a graph
    /// with very many cycles not all are reported.
    pub fn of(graph: &Graph) -> Self {
        let groups = groups(graph);
        let group = |module: u32| groups.get(module as usize).copied().flatten();
        let mut found = Self { cycles: Vec::new(), modules: groups.iter().flatten().count() };
        let mut reported = vec![false; graph.len()];
        let mut named = 0_usize;
        for root in (0_u32..).take(graph.len()) {
            if group(root).is_none() || reported.get(root as usize) == Some(&true) {
                continue;
            }
            let most = MOST_TOLD.saturating_sub(found.cycles.len());
            if most == 0 || named >= MOST_NAMED {
                break;
            }
            let inside = |module| group(module) == group(root);
            let mut through = simple_cycles(graph, root, inside, most);
            if through.is_empty() {
                through.extend(shortest_cycle(graph, root, inside));
            }
            for &module in through.iter().flatten() {
                if let Some(reported) = reported.get_mut(module as usize) {
                    *reported = true;
                }
            }
            through.retain(|cycle| {
                let has_room = named < MOST_NAMED;
                named = named.saturating_add(cycle.len());
                has_room
            });
            found.cycles.append(&mut through);
        }
        found
    }
}

/// The cycles from `root` back to it that visit no module twice, as far as the bounds allow.
fn simple_cycles(graph: &Graph, root: u32, inside: impl Fn(u32) -> bool, most: usize) -> Vec<Vec<u32>> {
    let mut cycles = Vec::new();
    let mut path: Vec<u32> = Vec::new();
    let mut on_path = vec![false; graph.len()];
    let mut stack = vec![(root, 0_usize)];
    for _ in 0..MOST_STEPS {
        let Some((module, depth)) = stack.pop() else { break };
        for left in path.drain(depth.min(path.len())..) {
            set(&mut on_path, left, false);
        }
        path.push(module);
        set(&mut on_path, module, true);
        let inner = graph.direct(module).iter().filter(|dependency| inside(**dependency));
        if graph.direct(module).contains(&root) {
            cycles.push(path.clone());
            if cycles.len() >= most {
                break;
            }
        }
        stack.extend(
            inner
                .filter(|dependency| on_path.get(**dependency as usize) == Some(&false))
                .map(|dependency| (*dependency, path.len())),
        );
    }
    cycles
}

/// A shortest way from `root` back to it, by breadth.
fn shortest_cycle(graph: &Graph, root: u32, inside: impl Fn(u32) -> bool) -> Option<Vec<u32>> {
    let mut reached_from = vec![None; graph.len()];
    let mut queue = VecDeque::from([root]);
    while let Some(module) = queue.pop_front() {
        for &dependency in graph.direct(module).iter().filter(|dependency| inside(**dependency)) {
            let from = reached_from.get_mut(dependency as usize)?;
            if from.is_none() {
                *from = Some(module);
                queue.push_back(dependency);
            }
        }
    }
    let mut cycle = vec![];
    let mut module = reached_from.get(root as usize).copied().flatten()?;
    while module != root {
        cycle.push(module);
        module = reached_from.get(module as usize).copied().flatten()?;
    }
    cycle.push(root);
    cycle.reverse();
    Some(cycle)
}

/// For each module on a cycle the number of its group: modules of one group reach each other
/// (Tarjan's strongly connected components, without recursion).
fn groups(graph: &Graph) -> Vec<Option<u32>> {
    let mut search = Components {
        graph,
        time: 0,
        entered: vec![None; graph.len()],
        low: vec![0; graph.len()],
        waiting: Vec::new(),
        is_waiting: vec![false; graph.len()],
        groups: vec![None; graph.len()],
    };
    for root in (0_u32..).take(graph.len()) {
        search.visit(root);
    }
    search.groups
}

struct Components<'a> {
    graph: &'a Graph,
    /// How many modules have been seen.
    time: u32,
    /// The time at which a module was first seen.
    entered: Vec<Option<u32>>,
    /// The earliest module that it reaches.
    low: Vec<u32>,
    /// Modules seen whose group is not complete.
    waiting: Vec<u32>,
    is_waiting: Vec<bool>,
    groups: Vec<Option<u32>>,
}

impl Components<'_> {
    fn visit(&mut self, root: u32) {
        if self.entered(root).is_some() {
            return;
        }
        let mut stack = vec![(root, 0_usize)];
        self.enter(root);
        while let Some((module, place)) = stack.pop() {
            if let Some(&dependency) = self.graph.direct(module).get(place) {
                stack.push((module, place.saturating_add(1)));
                match self.entered(dependency) {
                    None => {
                        self.enter(dependency);
                        stack.push((dependency, 0));
                    }
                    Some(then) if self.is_waiting.get(dependency as usize) == Some(&true) => {
                        self.lower(module, then);
                    }
                    Some(_) => {}
                }
            } else {
                let low = self.low.get(module as usize).copied().unwrap_or_default();
                if let Some((user, _)) = stack.last() {
                    self.lower(*user, low);
                }
                if self.entered(module) == Some(low) {
                    self.close(module);
                }
            }
        }
    }

    fn entered(&self, module: u32) -> Option<u32> {
        self.entered.get(module as usize).copied().flatten()
    }

    fn enter(&mut self, module: u32) {
        set(&mut self.entered, module, Some(self.time));
        set(&mut self.low, module, self.time);
        set(&mut self.is_waiting, module, true);
        self.waiting.push(module);
        self.time = self.time.saturating_add(1);
    }

    fn lower(&mut self, module: u32, low: u32) {
        if let Some(place) = self.low.get_mut(module as usize) {
            *place = low.min(*place);
        }
    }

    /// The modules seen since `first` are a group: one with a cycle, if they are several or `first`
    /// needs itself.
    fn close(&mut self, first: u32) {
        let start = self.waiting.iter().rposition(|&module| module == first).unwrap_or_default();
        let members = self.waiting.split_off(start);
        let cyclic = members.len() > 1 || self.graph.direct(first).contains(&first);
        for member in members {
            set(&mut self.is_waiting, member, false);
            set(&mut self.groups, member, cyclic.then_some(first));
        }
    }
}

fn set<T>(places: &mut [T], module: u32, value: T) {
    if let Some(place) = places.get_mut(module as usize) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::depmod::order::Order;

    fn cycles(direct: &[&[u32]]) -> (Vec<Vec<u32>>, usize) {
        let cycles = Cycles::of(&Graph::new(direct.iter().map(|direct| direct.to_vec()).collect()));
        (cycles.cycles, cycles.modules)
    }

    /// The packaged depmod of kmod 34 reports these in this order.
    #[test]
    fn cycles_are_told_as_kmod_tells_them() {
        assert_eq!(cycles(&[&[1], &[2], &[0]]), (vec![vec![0, 1, 2]], 3));
        assert_eq!(cycles(&[&[1, 2], &[0], &[0]]), (vec![vec![0, 2], vec![0, 1]], 3));
        assert_eq!(cycles(&[&[1, 2], &[3], &[3], &[0]]), (vec![vec![0, 2, 3], vec![0, 1, 3]], 4));
        assert_eq!(cycles(&[&[1], &[2], &[0], &[4], &[3]]), (vec![vec![0, 1, 2], vec![3, 4]], 5));
        assert_eq!(cycles(&[&[0], &[1]]), (vec![vec![0], vec![1]], 2));
    }

    #[test]
    fn modules_that_only_lead_to_or_from_a_cycle_are_not_on_it() {
        assert_eq!(cycles(&[&[1], &[2, 3], &[1], &[]]), (vec![vec![1, 2]], 2));
        assert_eq!(cycles(&[&[1], &[0, 2], &[3], &[2]]), (vec![vec![0, 1], vec![2, 3]], 4));
    }

    #[test]
    fn a_graph_with_very_many_cycles_is_told_in_part() {
        let everyone: Vec<u32> = (0..60).collect();
        let (cycles, modules) = cycles(&vec![&everyone[..]; 60]);
        assert_eq!(modules, 60);
        assert!(!cycles.is_empty() && cycles.len() <= MOST_TOLD);
    }

    #[test]
    fn long_cycles_are_told_as_far_as_they_are_read() {
        // Each module needs the eight after it.
        let needed: Vec<Vec<u32>> =
            (0..900).map(|module| (1..9).map(|step| (module + step) % 900).collect()).collect();
        let (cycles, modules) = cycles(&needed.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let named: usize = cycles.iter().map(Vec::len).sum();
        assert_eq!(modules, 900);
        assert!((MOST_NAMED..MOST_NAMED + 900).contains(&named), "{named}");
    }

    proptest! {
        #[test]
        fn every_cycle_told_is_one_and_a_graph_without_order_has_one(
            edges in proptest::collection::vec((0_u32..9, 0_u32..9), 0..16)
        ) {
            let mut direct = vec![Vec::new(); 9];
            for (user, dependency) in edges {
                if !direct[user as usize].contains(&dependency) {
                    direct[user as usize].push(dependency);
                }
            }
            let graph = Graph::new(direct);
            let found = Cycles::of(&graph);
            prop_assert_eq!(found.cycles.is_empty(), Order::of(&graph).is_ok());
            let mut on_cycles = [false; 9];
            for cycle in &found.cycles {
                for (place, module) in cycle.iter().enumerate() {
                    let next = cycle[(place + 1) % cycle.len()];
                    prop_assert!(graph.direct(*module).contains(&next));
                    on_cycles[*module as usize] = true;
                }
            }
            prop_assert_eq!(on_cycles.iter().filter(|on| **on).count(), found.modules);
        }
    }
}
