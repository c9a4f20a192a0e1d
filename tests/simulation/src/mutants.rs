//! The deliberate bugs of the library: each must be found within so many seeds.

/// Seeds that each bug may take.
pub const SEEDS: u64 = 2_000;

/// Their names, as `mutant!` has them in `tests/mutants` or in the sources, and what they do.
pub const MUTANTS: &[(&str, &str)] = &[
    ("wake_dropped", "a sleeping loop is not woken"),
    (
        "begin_run_clears_stop",
        "run() forgets a stop that came before",
    ),
    (
        "hold_released_twice",
        "the end of a connection gives two holds back",
    ),
    (
        "hold_never_released",
        "the end of a connection gives no hold back",
    ),
    (
        "slot_reused_in_batch",
        "a slot is filled anew in the turn that freed it, under the same key",
    ),
    (
        "stale_key_finds",
        "a key finds what has come in the place of its own",
    ),
    (
        "reconnect_armed_while_stopping",
        "a client backs off although it or its loop was ended",
    ),
    (
        "close_not_flushed",
        "a finishing connection is closed before its queue is written",
    ),
    ("close_notify_skipped", "TLS ends without close_notify"),
    ("deadline_ignored", "nothing is closed by force"),
    ("on_close_twice", "on_close comes twice"),
    ("task_dropped_at_stop", "what was accepted last is dropped"),
    (
        "timer_fires_after_kill",
        "a killed timer that is next fires all the same",
    ),
    ("timer_early", "timers fire a millisecond early"),
    (
        "timer_id_is_its_slot",
        "the id of a timer that has gone is that of the next one in its slot",
    ),
    (
        "pong_lost_when_blocked",
        "no Pong while the queue is not empty",
    ),
    (
        "plaintext_left_in_tls",
        "what TLS decrypted beyond one read waits for the next event",
    ),
    (
        "rest_after_budget_forgotten",
        "a read ended by its budget is not taken up again",
    ),
    (
        "no_linger",
        "a finishing connection is closed without waiting for the peer's end",
    ),
    (
        "short_write_taken_for_all",
        "a short write counts as a whole one",
    ),
    (
        "urgent_data_hides_the_rest",
        "a read that urgent data made short counts as the last one",
    ),
    (
        "descriptor_hides_the_rest",
        "a read that a descriptor made short counts as the last one",
    ),
    (
        "stop_overtakes_tasks",
        "connections finish before tasks that were accepted earlier",
    ),
    (
        "account_not_settled",
        "unsent bytes stay on the send account",
    ),
    ("cancelled_lookup_answers", "a cancelled lookup calls back"),
    ("stop_ignored_while_paused", "a paused loop does not stop"),
    (
        "edge_of_connect_lost",
        "readiness that came with the connect is forgotten",
    ),
    ("one_timer_a_turn", "a turn fires one timer"),
    (
        "budget_twice",
        "a read left over and an event make two budgets",
    ),
    (
        "read_without_budget",
        "a turn reads a connection to its end",
    ),
    (
        "delivered_after_close",
        "messages are delivered after close()",
    ),
    (
        "accepts_after_budget_forgotten",
        "connections beyond a turn's accepts wait for the next event",
    ),
    (
        "accept_back_off_for_ever",
        "a listener that found no descriptor does not look again",
    ),
    (
        "datagrams_after_budget_forgotten",
        "datagrams beyond a turn's budget wait for the next event",
    ),
    (
        "datagram_behind_others_looks_blocked",
        "a datagram queued behind others makes the socket look full",
    ),
    (
        "last_datagram_failed_is_not_all_sent",
        "a socket that finishes stays open when its last datagram fails",
    ),
    (
        "resume_forgets_readiness",
        "what came while reading was paused waits for the next event",
    ),
    ("idle_never_ends", "an idle callback is called for ever"),
    (
        "shared_overtakes",
        "bytes of a broadcast overtake those before them",
    ),
    (
        "leave_in_mid_read",
        "a connection leaves its loop while a read of it is under way",
    ),
    (
        "moved_queue_lost",
        "a connection leaves its loop without its queue",
    ),
    (
        "tcp_retries_after_close",
        "a TCP client that was closed while connecting, or in on_close, tries again",
    ),
    (
        "tcp_back_off_survives_close",
        "a TCP client that was closed between two attempts tries again",
    ),
    ("sources_kept_at_stop", "a stopping loop goes on listening"),
    (
        "context_of_unsent_kept",
        "the compressor goes on from a message that was sent uncompressed",
    ),
    (
        "compressed_room_kept",
        "what compression saves stays on the send account",
    ),
    (
        "broadcast_unknown_to_context",
        "a connection's compressor does not know of the broadcast before its message",
    ),
    (
        "frames_behind_upgrade_lost",
        "frames that came with the upgrade's request are dropped",
    ),
    (
        "upgrade_after_stop",
        "a stopping loop still takes an upgrade",
    ),
    (
        "topics_kept_at_close",
        "a connection that ended stays a subscriber",
    ),
    (
        "slow_peer_kept",
        "a full queue closes nothing, although it should",
    ),
    (
        "long_reads_are_life",
        "a few bytes do not show that the peer lives",
    ),
    (
        "linger_from_the_finish",
        "the time for the peer's end begins before all is written",
    ),
    (
        "close_time_from_the_asking",
        "the time for the peer's Close begins before ours has left",
    ),
    (
        "stalled_without_a_try",
        "a peer is called stalled although there is room",
    ),
    (
        "end_of_stream_drops_the_queue",
        "what was accepted is dropped when the peer ends its side",
    ),
    (
        "drain_from_the_turn",
        "the drain's time begins before the stop",
    ),
    (
        "open_deadline_anew_after_tls",
        "the deadline to open begins anew after TLS",
    ),
    ("held_back_lost", "what was read before a pause is dropped"),
    (
        "silent_while_paused",
        "a peer that is not read from is called silent",
    ),
    (
        "one_redirect_too_many",
        "a client follows a redirect more than it may",
    ),
    (
        "proxy_refusal_taken",
        "a proxy's refusal is taken for a connection",
    ),
    (
        "memory_not_given_back",
        "memory that a connection gives back stays on the loop's account",
    ),
    (
        "memory_of_the_gone_counted",
        "what a connection held stays on the loop's account when it has gone",
    ),
    (
        "share_of_the_gone_counted",
        "what a connection held stays on its server's account when it has gone",
    ),
    (
        "shared_counted_each_time",
        "the bytes of a broadcast count for each queue that holds them",
    ),
    (
        "waiting_open_ends_untold",
        "an open that waits for its first attempt ends without an on_close",
    ),
    (
        "waiting_connect_ends_untold",
        "a TCP connect that waits for its first attempt ends without an on_close",
    ),
    (
        "made_socket_ignored",
        "a socket that was made elsewhere is dropped, and another one connected",
    ),
    (
        "tcp_wait_survives_no_policy",
        "a TCP client whose policy was taken away between two attempts tries again",
    ),
    (
        "written_at_once_untold",
        "what is written without being queued is not told as written",
    ),
];
