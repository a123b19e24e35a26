package dev.wclayer.internal;

import dev.wclayer.LayerException;
import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongConsumer;

/**
 * Owns one object of the native core. Closing never frees memory that a running call still uses: uses are counted and
 * the last one out frees. A forgotten handle is freed when the garbage collector finds it.
 */
final class NativeHandle implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final State state;
    private final Cleaner.Cleanable closeOnce;

    /**
     * @param what what it is, for the message of a use after close: "the driver"
     * @param free frees the object; it must not refer to the owner of this handle, which could then never be collected
     */
    NativeHandle(String what, long address, LongConsumer free) {
        state = new State(what, address, free);
        closeOnce = CLEANER.register(this, state::close);
    }

    /** The address, valid until the matching {@link #exit()}. */
    long enter() {
        return state.enter();
    }

    void exit() {
        state.exit();
    }

    /** One more user, let go by {@link #exit()}; only from within a call, so that it cannot fail. */
    void retain() {
        state.users.incrementAndGet();
    }

    boolean closed() {
        return state.closed;
    }

    <R> R call(Call<R> body) throws LayerException {
        long address = state.enter();
        try {
            return body.with(address);
        } finally {
            state.exit();
        }
    }

    void run(Run body) throws LayerException {
        long address = state.enter();
        try {
            body.with(address);
        } finally {
            state.exit();
        }
    }

    /** As {@link #run}, for what cannot fail; does nothing once closed. */
    void runIfOpen(LongConsumer body) {
        long address;
        try {
            address = state.enter();
        } catch (IllegalStateException closed) {
            return;
        }
        try {
            body.accept(address);
        } finally {
            state.exit();
        }
    }

    @Override
    public void close() {
        closeOnce.clean();
    }

    @FunctionalInterface
    interface Call<R> {
        R with(long address) throws LayerException;
    }

    @FunctionalInterface
    interface Run {
        void with(long address) throws LayerException;
    }

    private static final class State {
        private final AtomicInteger users = new AtomicInteger(1); // 1: the open object itself
        private final String what;
        private final long address;
        private final LongConsumer free;
        private volatile boolean closed;

        State(String what, long address, LongConsumer free) {
            this.what = what;
            this.address = address;
            this.free = free;
        }

        long enter() {
            if (closed || users.getAndUpdate(n -> n == 0 ? 0 : n + 1) == 0) {
                throw new IllegalStateException(what + " is closed");
            }
            return address;
        }

        void exit() {
            if (users.decrementAndGet() == 0) {
                free.accept(address);
            }
        }

        void close() {
            closed = true;
            exit();
        }
    }
}
