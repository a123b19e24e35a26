package dev.wclayer.internal;

import dev.wclayer.LayerException;

/** A file that the caller named by path, opened natively. */
public final class FileHandle implements AutoCloseable {
    private final NativeHandle handle;

    private FileHandle(long address) {
        handle = new NativeHandle("the file", address, Natives::freeFile);
    }

    /** Opens an existing file for reading. */
    public static FileHandle openInput(String path) throws LayerException {
        return new FileHandle(Natives.openInput(path));
    }

    /** Creates a file, or empties it, for writing. */
    public static FileHandle createOutput(String path) throws LayerException {
        return new FileHandle(Natives.createOutput(path));
    }

    <R> R call(NativeHandle.Call<R> body) throws LayerException {
        return handle.call(body);
    }

    @Override
    public void close() {
        handle.close();
    }
}
