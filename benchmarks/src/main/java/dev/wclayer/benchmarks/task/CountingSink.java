package dev.wclayer.benchmarks.task;

import java.io.OutputStream;

/** Takes everything, keeps nothing but the count. */
public final class CountingSink extends OutputStream {
    private long bytes;

    /** How many bytes were written. */
    public long bytes() {
        return bytes;
    }

    @Override
    public void write(int value) {
        bytes++;
    }

    @Override
    public void write(byte[] data, int from, int length) {
        bytes += length;
    }
}
