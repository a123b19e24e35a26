package dev.wclayer;

/** Hears how far a long call is. Called on the thread of that call, between slabs; what it throws ends the call. */
@FunctionalInterface
public interface ProgressListener {
    /**
     * Some more was done.
     *
     * @param bytes bytes of the (uncompressed) tar so far
     * @param entries entries of the tar so far
     */
    void progressed(long bytes, long entries);
}
