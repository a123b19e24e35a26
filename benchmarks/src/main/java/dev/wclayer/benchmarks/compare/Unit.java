package dev.wclayer.benchmarks.compare;

import java.util.Locale;

/** What a figure counts; less is better in all of them. */
public enum Unit {
    /** Seconds on the clock. */
    SECONDS,
    /** Bytes of memory or of output. */
    BYTES;

    /** A figure with its unit, as people read it. */
    public String text(double value) {
        if (this == SECONDS) {
            return value < 1
                    ? String.format(Locale.ROOT, "%.1f ms", value * 1e3)
                    : String.format(Locale.ROOT, "%.2f s", value);
        }
        return String.format(Locale.ROOT, "%.1f MB", value / 1e6);
    }
}
