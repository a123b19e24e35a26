package dev.wclayer.cli;

import dev.wclayer.LayerProblem;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.List;

/** A command that looks for problems: exit status 1 if there are any. */
abstract class ProblemCommand extends LayerCommand {
    abstract List<LayerProblem> find(WindowsDriver driver) throws IOException;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<LayerProblem> problems = find(driver);
        if (output.wantsJson()) {
            output.json(Json.problems(problems));
        } else {
            for (LayerProblem problem : problems) {
                String path = problem.path().isEmpty() ? "" : problem.path() + ": ";
                output.line(problem.id() + ": " + path + problem.problem());
            }
        }
        return problems.isEmpty() ? CommandLines.OK : CommandLines.NO;
    }
}
