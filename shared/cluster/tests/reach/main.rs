//! How clusters are reached: by kubeconfigs that are rotated, by names in EKS, each once for all that is asked of it.

mod eks;
mod kubeconfigs;
mod places;
