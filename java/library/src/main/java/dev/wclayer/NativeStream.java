package dev.wclayer;

import dev.wclayer.internal.BufferPool;
import dev.wclayer.internal.FileHandle;
import dev.wclayer.internal.SourceHandle;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** A native source as an InputStream, read slab by slab. */
class NativeStream extends InputStream {
    /** Bytes moved by one native call when Java touches none of them; between two, progress is told. */
    private static final long PUMP_BYTES = 8L << 20;

    private static final int HEAP_BYTES = 64 << 10;

    private final SourceHandle source;
    private final BufferPool pool;
    private final Control control;
    /** One reader at a time. Closing and cancelling do not wait for it. */
    private final ReentrantLock reading = new ReentrantLock();

    private @Nullable ByteBuffer slab; // what was read and not yet taken lies between position and limit
    private boolean ended;
    private volatile boolean closed;

    NativeStream(SourceHandle source, BufferPool pool, Control control) {
        this.source = source;
        this.pool = pool;
        this.control = control;
    }

    /** Called once, when the native side has given its last byte and before it is freed. */
    void ending(SourceHandle finished) throws LayerException {
        Objects.requireNonNull(finished);
    }

    @Override
    public int read() throws IOException {
        reading.lock();
        try {
            ByteBuffer bytes = fill();
            return bytes == null ? -1 : bytes.get() & 0xff;
        } finally {
            reading.unlock();
        }
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, target.length);
        if (length == 0) {
            return 0;
        }
        reading.lock();
        try {
            ByteBuffer bytes = fill();
            if (bytes == null) {
                return -1;
            }
            int count = Math.min(length, bytes.remaining());
            bytes.get(target, offset, count);
            return count;
        } finally {
            reading.unlock();
        }
    }

    @Override
    public int available() throws IOException {
        reading.lock();
        try {
            checkOpen();
            return slab == null ? 0 : slab.remaining();
        } finally {
            reading.unlock();
        }
    }

    /**
     * Reads all that is left and writes it to {@code out}.
     *
     * @param out receives the bytes; it is neither flushed nor closed
     * @return how many bytes were written
     * @throws IOException if either side fails; a {@link LayerException} if this one does
     */
    @Override
    public long transferTo(OutputStream out) throws IOException {
        if (out.getClass() == FileOutputStream.class) {
            return transferTo(((FileOutputStream) out).getChannel());
        }
        reading.lock();
        try {
            byte[] heap = new byte[HEAP_BYTES];
            long moved = 0;
            for (ByteBuffer bytes = fill(); bytes != null; bytes = fill()) {
                int count = Math.min(heap.length, bytes.remaining());
                bytes.get(heap, 0, count);
                out.write(heap, 0, count);
                moved += count;
            }
            return moved;
        } finally {
            reading.unlock();
        }
    }

    /**
     * Reads all that is left and writes it to {@code out}, without a copy on the Java heap.
     *
     * @param out receives the bytes; it stays open
     * @return how many bytes were written
     * @throws IOException if either side fails; a {@link LayerException} if this one does
     * @throws IllegalBlockingModeException if the channel is in non-blocking mode
     */
    public long transferTo(WritableByteChannel out) throws IOException {
        if (out instanceof SelectableChannel selectable && !selectable.isBlocking()) {
            throw new IllegalBlockingModeException();
        }
        reading.lock();
        try {
            long moved = 0;
            for (ByteBuffer bytes = fill(); bytes != null; bytes = fill()) {
                while (bytes.hasRemaining()) {
                    moved += out.write(bytes);
                }
            }
            return moved;
        } finally {
            reading.unlock();
        }
    }

    /**
     * Reads all that is left into a file, which is made or emptied; the bytes never enter Java. If that fails, the
     * incomplete file is deleted.
     *
     * @param file where to; a device or pipe will do
     * @return how many bytes were written
     * @throws IOException if either side fails; a {@link LayerException} unless Java has to write the file itself
     */
    public long transferTo(Path file) throws IOException {
        reading.lock();
        try {
            checkOpen();
            boolean complete = false;
            try {
                boolean untouched = slab == null || !slab.hasRemaining();
                long moved = untouched && file.getFileSystem() == FileSystems.getDefault() ? pump(file) : copy(file);
                complete = true;
                return moved;
            } finally {
                if (!complete && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    Files.deleteIfExists(file);
                }
            }
        } finally {
            reading.unlock();
        }
    }

    private long pump(Path file) throws IOException {
        try (FileHandle out = FileHandle.createOutput(file.toAbsolutePath().toString())) {
            long moved = 0;
            while (!ended) {
                checkOpen();
                control.check();
                long count = source.pump(out, PUMP_BYTES);
                control.tell(source::progress);
                if (count == 0) {
                    end();
                }
                moved += count;
            }
            return moved;
        }
    }

    private long copy(Path file) throws IOException {
        try (FileChannel out = FileChannel.open(
                file, StandardOpenOption.WRITE, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING)) {
            return transferTo(out);
        }
    }

    /** At least one byte to take, or null at the end. */
    private @Nullable ByteBuffer fill() throws IOException {
        checkOpen();
        if (slab != null && slab.hasRemaining()) {
            return slab;
        }
        if (ended) {
            return null;
        }
        control.check();
        ByteBuffer buffer = slab == null ? pool.take() : slab;
        slab = buffer;
        int count = source.read(buffer, 0, buffer.capacity());
        control.tell(source::progress);
        if (count < 0) {
            end();
            return null;
        }
        buffer.position(0).limit(count);
        return buffer;
    }

    private void end() throws LayerException {
        ending(source);
        ended = true;
        source.close(); // the layer is as before from here on
        control.close();
        releaseSlab();
    }

    private void checkOpen() throws IOException {
        if (closed) {
            throw new IOException("the stream is closed");
        }
    }

    private void releaseSlab() {
        if (slab != null) {
            pool.give(slab);
            slab = null;
        }
    }

    /**
     * Ends the stream. Before its end this stops the native work, and the layer is as before; a read that runs in another
     * thread fails. May be called more than once.
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        source.cancel();
        source.close();
        control.close();
        if (reading.tryLock()) { // else a reader still has the buffer: it is let go with this object
            try {
                releaseSlab();
            } finally {
                reading.unlock();
            }
        }
    }
}
