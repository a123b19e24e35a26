package dev.wclayer.cli;

import dev.wclayer.LayerProblem;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
        name = "verify",
        description = "Check every stored byte, record and chain (exit status 1: something is wrong).")
final class VerifyCommand extends ProblemCommand {
    @Parameters(arity = "0..*", paramLabel = "ID", description = "The layers. Default: all.")
    private List<String> ids = new ArrayList<>();

    @Override
    List<LayerProblem> find(WindowsDriver driver) throws IOException {
        return driver.verify(ids.toArray(new String[0]));
    }
}
