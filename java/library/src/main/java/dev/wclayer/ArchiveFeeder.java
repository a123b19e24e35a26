package dev.wclayer;

import dev.wclayer.internal.ApplyHandle;
import dev.wclayer.internal.BufferPool;
import dev.wclayer.internal.FileHandle;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SelectableChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;

/** Brings an archive from where the caller has it to the native core. */
@FunctionalInterface
interface ArchiveFeeder {
    /** Bytes read by one native call when Java touches none of them; between two, progress is told. */
    long PUMP_BYTES = 8L << 20;

    /** Writes the whole archive. */
    void feed(ApplyHandle apply, BufferPool pool, Control control) throws IOException;

    static ArchiveFeeder of(Path file) {
        if (file.getFileSystem() != FileSystems.getDefault()) {
            return (apply, pool, control) -> {
                try (ReadableByteChannel channel = Files.newByteChannel(file)) {
                    of(channel).feed(apply, pool, control);
                }
            };
        }
        return (apply, pool, control) -> {
            try (FileHandle in = FileHandle.openInput(file.toAbsolutePath().toString())) {
                long count;
                do {
                    control.check();
                    count = apply.pump(in, PUMP_BYTES);
                    control.tell(apply::progress);
                } while (count != 0);
            }
        };
    }

    static ArchiveFeeder of(InputStream in) {
        if (in.getClass() == FileInputStream.class) {
            return of(((FileInputStream) in).getChannel());
        }
        // Not Channels.newChannel: it reads through 8 KiB and closes the stream when the thread is interrupted.
        return (apply, pool, control) -> {
            byte[] heap = new byte[64 << 10];
            bySlab(apply, pool, control, slab -> {
                int room = Math.min(heap.length, slab.remaining());
                int count = in.read(heap, 0, room);
                if (count > room) {
                    throw new IOException("the stream says that it read " + count + " bytes where " + room + " fit");
                }
                if (count > 0) {
                    slab.put(heap, 0, count);
                }
                return count;
            });
        };
    }

    static ArchiveFeeder of(ReadableByteChannel in) {
        if (in instanceof SelectableChannel selectable && !selectable.isBlocking()) {
            throw new IllegalBlockingModeException();
        }
        return (apply, pool, control) -> bySlab(apply, pool, control, in::read);
    }

    private static void bySlab(ApplyHandle apply, BufferPool pool, Control control, Source source) throws IOException {
        ByteBuffer slab = pool.take();
        try {
            boolean more = true;
            while (more) {
                control.check();
                slab.clear();
                while (slab.hasRemaining()) {
                    int count = source.read(slab);
                    if (count < 0) {
                        more = false;
                        break;
                    }
                    if (count == 0) { // a source that has nothing yet: whoever waits for it can be called off
                        control.check();
                        Thread.onSpinWait();
                    }
                }
                apply.write(slab, 0, slab.position());
                control.tell(apply::progress);
            }
        } finally {
            pool.give(slab);
        }
    }

    /** Puts some bytes into the buffer; -1 at the end. */
    @FunctionalInterface
    interface Source {
        int read(ByteBuffer slab) throws IOException;
    }
}
