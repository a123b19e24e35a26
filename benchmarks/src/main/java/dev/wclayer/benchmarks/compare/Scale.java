package dev.wclayer.benchmarks.compare;

/** How much data a run takes: everything, or parts that are done within two minutes. */
record Scale(String nano, String core, String small, String million, boolean real, int layers) {
    static final Scale FULL = new Scale("nano", "core", "small", "million", true, 1_000);
    static final Scale QUICK = new Scale("nano/10", "core/20", "small/10", "million/20", false, 100);
    /** What takes 100 MB at least, in both. */
    static final String LARGE = "nano";
}
