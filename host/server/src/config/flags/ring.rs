//! `-ring.*` and `-cluster.*`: who this node is, whom it joins and how nodes talk.

use std::path::PathBuf;
use std::time::Duration;

use super::values::{MemberAddress, parse_bool, parse_duration, parse_interval};

/// `-ring.*` apart from the transport.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cluster (ring)")]
pub struct RingFlags {
    /// Unique instance ID; the host name when absent
    #[arg(id = "ring.instance-id", long = "ring.instance-id", value_name = "string")]
    pub instance_id: Option<String>,
    /// Instance IP address; found by itself when absent
    #[arg(id = "ring.instance-addr", long = "ring.instance-addr", value_name = "string")]
    pub instance_addr: Option<String>,
    /// Instance port
    #[arg(id = "ring.instance-port", long = "ring.instance-port", default_value = "7946", value_name = "int")]
    pub instance_port: u16,
    /// Comma-separated list of interfaces to look for the address on
    #[arg(id = "ring.instance-interface-names", long = "ring.instance-interface-names", value_name = "string", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub instance_interface_names: Vec<String>,
    /// Comma-separated list of cluster members
    #[arg(id = "ring.join-members", long = "ring.join-members", value_name = "string", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub join_members: Vec<MemberAddress>,
    /// Heartbeat interval
    #[arg(id = "ring.heartbeat-period", long = "ring.heartbeat-period", default_value = "5s", value_name = "duration", value_parser = parse_interval)]
    pub heartbeat_period: Duration,
    /// Heartbeat timeout
    #[arg(id = "ring.heartbeat-timeout", long = "ring.heartbeat-timeout", default_value = "1m", value_name = "duration", value_parser = parse_interval)]
    pub heartbeat_timeout: Duration,
    /// Keep the membership over a restart
    #[arg(id = "ring.keep-instance-in-ring-on-shutdown", long = "ring.keep-instance-in-ring-on-shutdown", default_value = "true", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub keep_instance_in_ring_on_shutdown: bool,
}

/// `-cluster.*`
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cluster (formation)")]
pub struct ClusterFlags {
    /// Wait for so many nodes before a new cluster is formed; 0 forms it at once
    #[arg(id = "cluster.expect", long = "cluster.expect", default_value = "0", value_name = "int", value_parser = clap::value_parser!(u32).range(0..=99))]
    pub expect: u32,
    /// File with the secret that all nodes share
    #[arg(id = "cluster.key-file", long = "cluster.key-file", value_name = "string")]
    pub key_file: Option<PathBuf>,
}

/// The heading of [`MemberlistFlags`], shown by `-help-all` only.
pub(super) const TRANSPORT_HEADING: &str = "Cluster (gossip transport)";

/// `-ring.memberlist.*`, the gossip transport of the Go server. Kept for existing command lines.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = TRANSPORT_HEADING)]
pub struct MemberlistFlags {
    /// Node name; the instance ID when absent
    #[arg(id = "ring.memberlist.nodename", long = "ring.memberlist.nodename", value_name = "string")]
    pub nodename: Option<String>,
    /// Add a random suffix to the node name
    #[arg(id = "ring.memberlist.randomize-node-name", long = "ring.memberlist.randomize-node-name", default_value = "true", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub randomize_node_name: bool,
    /// Limit for connecting and for one exchange
    #[arg(id = "ring.memberlist.stream-timeout", long = "ring.memberlist.stream-timeout", default_value = "2s", value_name = "duration", value_parser = parse_duration)]
    pub stream_timeout: Duration,
    /// How often a message is sent again
    #[arg(
        id = "ring.memberlist.retransmit-factor",
        long = "ring.memberlist.retransmit-factor",
        default_value = "4",
        value_name = "int"
    )]
    pub retransmit_factor: u32,
    /// Pause between full exchanges
    #[arg(id = "ring.memberlist.pullpush-interval", long = "ring.memberlist.pullpush-interval", default_value = "30s", value_name = "duration", value_parser = parse_duration)]
    pub pullpush_interval: Duration,
    /// Pause between gossip rounds
    #[arg(id = "ring.memberlist.gossip-interval", long = "ring.memberlist.gossip-interval", default_value = "200ms", value_name = "duration", value_parser = parse_duration)]
    pub gossip_interval: Duration,
    /// Nodes told in each round
    #[arg(
        id = "ring.memberlist.gossip-nodes",
        long = "ring.memberlist.gossip-nodes",
        default_value = "3",
        value_name = "int"
    )]
    pub gossip_nodes: u32,
    /// How long dead nodes are still told
    #[arg(id = "ring.memberlist.gossip-to-dead-nodes-time", long = "ring.memberlist.gossip-to-dead-nodes-time", default_value = "30s", value_name = "duration", value_parser = parse_duration)]
    pub gossip_to_dead_nodes_time: Duration,
    /// When the name of a dead node may come back with another address
    #[arg(id = "ring.memberlist.dead-node-reclaim-time", long = "ring.memberlist.dead-node-reclaim-time", default_value = "0s", value_name = "duration", value_parser = parse_duration)]
    pub dead_node_reclaim_time: Duration,
    /// Compress messages
    #[arg(id = "ring.memberlist.compression-enabled", long = "ring.memberlist.compression-enabled", default_value = "true", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub compression_enabled: bool,
    /// Pause between notifications about one key
    #[arg(id = "ring.memberlist.notify-interval", long = "ring.memberlist.notify-interval", default_value = "0s", value_name = "duration", value_parser = parse_duration)]
    pub notify_interval: Duration,
    /// Address told to other nodes
    #[arg(id = "ring.memberlist.advertise-addr", long = "ring.memberlist.advertise-addr", value_name = "string")]
    pub advertise_addr: Option<String>,
    /// Port told to other nodes
    #[arg(
        id = "ring.memberlist.advertise-port",
        long = "ring.memberlist.advertise-port",
        default_value = "7946",
        value_name = "int"
    )]
    pub advertise_port: u16,
    /// Name of the cluster; nodes of another one are ignored
    #[arg(id = "ring.memberlist.cluster-label", long = "ring.memberlist.cluster-label", value_name = "string")]
    pub cluster_label: Option<String>,
    /// Accept nodes with another cluster name
    #[arg(id = "ring.memberlist.cluster-label-verification-disabled", long = "ring.memberlist.cluster-label-verification-disabled", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub cluster_label_verification_disabled: bool,
    /// Members to join, as -ring.join-members
    #[arg(id = "ring.memberlist.join", long = "ring.memberlist.join", value_name = "string", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub join: Vec<MemberAddress>,
    /// First pause before joining again
    #[arg(id = "ring.memberlist.min-join-backoff", long = "ring.memberlist.min-join-backoff", default_value = "1s", value_name = "duration", value_parser = parse_duration)]
    pub min_join_backoff: Duration,
    /// Longest pause before joining again
    #[arg(id = "ring.memberlist.max-join-backoff", long = "ring.memberlist.max-join-backoff", default_value = "1m", value_name = "duration", value_parser = parse_duration)]
    pub max_join_backoff: Duration,
    /// Attempts to join
    #[arg(
        id = "ring.memberlist.max-join-retries",
        long = "ring.memberlist.max-join-retries",
        default_value = "10",
        value_name = "int"
    )]
    pub max_join_retries: u32,
    /// Stop when the first attempt to join fails
    #[arg(id = "ring.memberlist.abort-if-fast-join-fails", long = "ring.memberlist.abort-if-fast-join-fails", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub abort_if_fast_join_fails: bool,
    /// Stop when no attempt to join succeeds
    #[arg(id = "ring.memberlist.abort-if-join-fails", long = "ring.memberlist.abort-if-join-fails", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub abort_if_join_fails: bool,
    /// Pause between joining again while running; 0 is never
    #[arg(id = "ring.memberlist.rejoin-interval", long = "ring.memberlist.rejoin-interval", default_value = "0s", value_name = "duration", value_parser = parse_duration)]
    pub rejoin_interval: Duration,
    /// How long nodes that left are remembered
    #[arg(id = "ring.memberlist.left-ingesters-timeout", long = "ring.memberlist.left-ingesters-timeout", default_value = "5m", value_name = "duration", value_parser = parse_duration)]
    pub left_ingesters_timeout: Duration,
    /// How long deleted entries are remembered
    #[arg(id = "ring.memberlist.obsolete-entries-timeout", long = "ring.memberlist.obsolete-entries-timeout", default_value = "30s", value_name = "duration", value_parser = parse_duration)]
    pub obsolete_entries_timeout: Duration,
    /// Limit for leaving
    #[arg(id = "ring.memberlist.leave-timeout", long = "ring.memberlist.leave-timeout", default_value = "20s", value_name = "duration", value_parser = parse_duration)]
    pub leave_timeout: Duration,
    /// Limit for sending own changes at the end
    #[arg(id = "ring.memberlist.broadcast-timeout-for-local-updates-on-shutdown", long = "ring.memberlist.broadcast-timeout-for-local-updates-on-shutdown", default_value = "10s", value_name = "duration", value_parser = parse_duration)]
    pub broadcast_timeout_for_local_updates_on_shutdown: Duration,
    /// Memory for past messages
    #[arg(
        id = "ring.memberlist.message-history-buffer-bytes",
        long = "ring.memberlist.message-history-buffer-bytes",
        default_value = "0",
        value_name = "int"
    )]
    pub message_history_buffer_bytes: u64,
    /// Notifications that may wait
    #[arg(
        id = "ring.memberlist.watch-prefix-buffer-size",
        long = "ring.memberlist.watch-prefix-buffer-size",
        default_value = "128",
        value_name = "int"
    )]
    pub watch_prefix_buffer_size: u32,
    /// Addresses to listen on; the instance address when absent
    #[arg(id = "ring.memberlist.bind-addr", long = "ring.memberlist.bind-addr", value_name = "string", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub bind_addr: Vec<String>,
    /// Port to listen on
    #[arg(
        id = "ring.memberlist.bind-port",
        long = "ring.memberlist.bind-port",
        default_value = "7946",
        value_name = "int"
    )]
    pub bind_port: u16,
    /// Limit for connecting to send a packet
    #[arg(id = "ring.memberlist.packet-dial-timeout", long = "ring.memberlist.packet-dial-timeout", default_value = "500ms", value_name = "duration", value_parser = parse_duration)]
    pub packet_dial_timeout: Duration,
    /// Limit for writing a packet
    #[arg(id = "ring.memberlist.packet-write-timeout", long = "ring.memberlist.packet-write-timeout", default_value = "500ms", value_name = "duration", value_parser = parse_duration)]
    pub packet_write_timeout: Duration,
    /// Packets written at one time
    #[arg(
        id = "ring.memberlist.max-concurrent-writes",
        long = "ring.memberlist.max-concurrent-writes",
        default_value = "5",
        value_name = "int"
    )]
    pub max_concurrent_writes: u32,
    /// Limit for waiting to write
    #[arg(id = "ring.memberlist.acquire-writer-timeout", long = "ring.memberlist.acquire-writer-timeout", default_value = "1s", value_name = "duration", value_parser = parse_duration)]
    pub acquire_writer_timeout: Duration,
    /// Log the transport
    #[arg(id = "ring.memberlist.transport-debug", long = "ring.memberlist.transport-debug", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub transport_debug: bool,
    /// Use TLS between nodes
    #[arg(id = "ring.memberlist.tls-enabled", long = "ring.memberlist.tls-enabled", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub tls_enabled: bool,
    /// Certificate file
    #[arg(id = "ring.memberlist.tls-cert-path", long = "ring.memberlist.tls-cert-path", value_name = "string")]
    pub tls_cert_path: Option<PathBuf>,
    /// Key file
    #[arg(id = "ring.memberlist.tls-key-path", long = "ring.memberlist.tls-key-path", value_name = "string")]
    pub tls_key_path: Option<PathBuf>,
    /// CA file
    #[arg(id = "ring.memberlist.tls-ca-path", long = "ring.memberlist.tls-ca-path", value_name = "string")]
    pub tls_ca_path: Option<PathBuf>,
    /// Name to expect in certificates
    #[arg(id = "ring.memberlist.tls-server-name", long = "ring.memberlist.tls-server-name", value_name = "string")]
    pub tls_server_name: Option<String>,
    /// Do not check certificates
    #[arg(id = "ring.memberlist.tls-insecure-skip-verify", long = "ring.memberlist.tls-insecure-skip-verify", default_value = "false", value_name = "bool", value_parser = parse_bool, action = clap::ArgAction::Set)]
    pub tls_insecure_skip_verify: bool,
    /// Comma-separated list of cipher suites
    #[arg(id = "ring.memberlist.tls-cipher-suites", long = "ring.memberlist.tls-cipher-suites", value_name = "string")]
    pub tls_cipher_suites: Option<String>,
    /// Lowest TLS version
    #[arg(id = "ring.memberlist.tls-min-version", long = "ring.memberlist.tls-min-version", value_name = "string")]
    pub tls_min_version: Option<String>,
}
