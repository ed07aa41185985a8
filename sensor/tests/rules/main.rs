//! Every detection rule from synthetic windows, by packet time: what makes it fire, what is just not
//! enough, and when it says that it cannot tell.

mod answers;
mod failures;
mod floods;
mod learning;
mod scans;
mod town;
