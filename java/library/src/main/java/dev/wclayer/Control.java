package dev.wclayer;

import org.jspecify.annotations.Nullable;

/** Progress and cancellation of one long call: what happens between two slabs. */
final class Control implements AutoCloseable {
    private final String operation;
    private final String layer;
    private final @Nullable ProgressListener listener;
    private final @Nullable CancellationToken token;
    private final Runnable cancel;
    private final long[] progress = new long[2];

    Control(
            String operation,
            String layer,
            @Nullable ProgressListener listener,
            @Nullable CancellationToken token,
            Runnable cancel) {
        this.operation = operation;
        this.layer = layer;
        this.listener = listener;
        this.token = token;
        this.cancel = cancel;
        if (token != null) {
            token.register(cancel);
        }
    }

    /** Whether a call with this token, on this thread, is to end. */
    static boolean stopped(@Nullable CancellationToken token) {
        return Thread.currentThread().isInterrupted() || (token != null && token.isCancelled());
    }

    /** Fails if the call was cancelled or its thread interrupted. */
    void check() throws OperationCancelledException {
        if (stopped(token)) {
            cancel.run();
            throw Failures.cancelled(operation, layer);
        }
    }

    /** Tells the listener, if there is one. */
    void tell(Measure measure) throws LayerException {
        if (listener != null) {
            measure.into(progress);
            listener.progressed(progress[0], progress[1]);
        }
    }

    @Override
    public void close() {
        if (token != null) {
            token.unregister(cancel);
        }
    }

    /** Fills {bytes, entries}. */
    @FunctionalInterface
    interface Measure {
        void into(long[] out) throws LayerException;
    }
}
